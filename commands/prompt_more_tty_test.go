//go:build unix

package commands

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A crash of hark in any goroutine leaves the terminal in its original mode.
func TestPromptPanic(t *testing.T) {
	t.Parallel()
	for keys, text := range map[string]string{"crash\r": "asked for by a line", "crash\t": "asked for in completion"} {
		t.Run(text, func(t *testing.T) {
			x := startTTY(t, `$HARK-crash connect $URL -q 2>$HOME/trace; echo "crashed with $?"; read line; echo "shell has $line"`)
			x.ready()
			x.keys("half")
			x.until("> half")
			x.keys("\x15" + keys)
			x.until("crashed with 2")
			x.restored()
			x.keys("words\n")
			x.until("shell has words")
			x.ended(0)
			b, err := os.ReadFile(filepath.Join(x.home, "trace"))
			if err != nil || !strings.Contains(string(b), "panic: "+text) {
				t.Errorf("%v\n%s", err, b)
			}
		})
	}
}

// The terminal gets another size while a line is being typed that takes several rows,
// and while messages come.
func TestPromptResize(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	text := strings.Repeat("0123456789", 10) // two rows of 60 columns
	x.keys(text)
	x.until("> " + text[:58] + "\n" + text[58:])
	x.resize(110, 20)
	x.until("> " + text)
	x.say("one")
	x.until("< one\n> " + text)
	x.keys("\x01") // the cursor to the first row
	x.resize(40, 12)
	x.say("two")
	x.until("< two\n> " + text[:38] + "\n" + text[38:78] + "\n" + text[78:])
	for i := range 50 {
		x.resize(30+i, 12)
		x.say(fmt.Sprint("message ", i))
	}
	x.until("< message 49\n> " + text[:77] + "\n" + text[77:])
	x.keys("\x05!\r")
	x.sent(text + "!")
	x.keys("\x04")
	x.ended(0)
}

// Letters of other scripts, which take more bytes than columns, or more columns than
// runes, are edited like all others while messages come.
func TestPromptWideCharacters(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("日本語")
	x.say("中文 😀 e\u0301")
	x.keys("\x1b[D😀\x1b[C\x1b[D\x1b[D\x7fx\x05 e\u0301")
	x.say("again")
	x.keys("\r")
	x.sent("日x😀語 e\u0301")
	x.keys("👩\u200d👩\u200d👧 \u202e\r")
	x.sent("👩\u200d👩\u200d👧 \u202e")
	x.keys("\x04")
	x.ended(0)
}

// A value of several lines: given up, sent as it is, and complete.
func TestPromptManyLines(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("{\"a\":\r")
	x.until("\n…")
	x.keys("1\x03")
	x.until("… 1^C\n>")
	x.keys("plain\r")
	x.sent("plain")
	x.keys("[1,\r\r")
	x.sent("[1,")
	x.keys("[1,\r{\"b\":\r2}\r]\r")
	x.sent("[1,\n{\"b\":\n2}\n]")
	x.keys("//slash\r")
	x.sent("/slash")
	x.keys("/close 4000 enough\r")
	x.until("(closed) >")
	x.keys("\x03")
	x.ended(0)
}

// With --slash=false, lines with a slash are messages.
func TestPromptWithoutSlash(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `exec $HARK connect $URL -q --slash=false`)
	x.ready()
	x.keys("/qu\t\r//x\r")
	x.sent("/qu")
	x.sent("//x")
	x.keys("\x04")
	x.ended(0)
}

// A recording has the messages typed during it, also if they were typed at once.
func TestPromptRecord(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `cd $HOME; exec $HARK connect $URL -q`)
	x.ready()
	x.keys("before\r")
	x.sent("before") // so the connection is there
	x.keys("also before\r/record x.tape\rone\rtwo\r/record off\rafter\r")
	for _, want := range []string{"also before", "one", "two", "after"} {
		x.sent(want)
	}
	x.keys("/status\r")
	x.shows("5 sent, 0 received")
	b, err := os.ReadFile(filepath.Join(x.home, "x.tape"))
	if err != nil {
		t.Fatal(err)
	}
	for want, there := range map[string]bool{"also before": false, "one": true, "two": true, "after": false} {
		if strings.Contains(string(b), `"text":"`+want+`"`) != there {
			t.Errorf("%s on the recording: %v, want %v\n%s", want, !there, there, b)
		}
	}
	x.keys("\x04")
	x.ended(0)
}

// All frames can be shown for a while.
func TestPromptFrames(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("/format frames\r/jq \"\\(.dir) \\(.text)\"\rhello\r")
	x.sent("hello")
	x.until("> \"out hello\"\n>")
	x.say("there")
	x.until("< \"in there\"\n>")
	x.keys("/jq off\r")
	x.until("\njq off\n>")
	x.keys("/format message\rbye\r")
	x.sent("bye")
	x.say("end")
	x.until("> bye\n< end\n>")
	x.keys("/until .a == 1\r")
	x.until(".a == 1\n>")
	x.keys("/status\r")
	x.until("waiting to be sent\n>")
	x.say(`{"a":1}`)
	x.ended(0)
}

// At the prompt of hark serve a value may take several lines too.
func TestServePrompt(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `exec $HARK serve 0`)
	x.until("listening on " + x.listening() + "\n>")
	client := exec.Command(filepath.Join(x.home, "hark"), "connect", x.listening(), "--send", "hello", "-n", "4")
	client.Env = x.cmd.Env
	client.Stderr = os.Stderr
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer client.Wait()
	x.until("1< hello\n>")
	x.keys("{\"a\":\r")
	x.until("\n…")
	x.keys("1}\rgone\x03")
	x.until("^C\n>")
	x.keys("[\x7f//all\r/to 1 /binary 00\r/to 2 x\r")
	x.until("there is no client 2\n>")
	x.keys("[1\r\r")
	got, err := io.ReadAll(out)
	if want := "{\"a\": 1}\n\"/all\"\n{\"data_base64\":\"AA==\"}\n\"[1\"\n"; err != nil || string(got) != want {
		t.Errorf("the client got %q, %v, want %q", got, err, want)
	}
	x.until("client 1 left: 1000\n>")
	x.keys("half\x03\x03")
	x.ended(0)
}

// On a terminal without line editing, lines are sent too, and an error does not end the
// stream.
func TestPromptPlainTerminal(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `TERM=dumb exec $HARK connect $URL -q`)
	x.ready()
	x.keys("hello\r")
	x.sent("hello")
	x.say("there")
	x.until("hello\n\"there\"")
	x.keys("/pign\r/ping\r")
	x.shows("pong 1 after")
	x.keys("after\r")
	x.sent("after")
	x.hub.Disconnect(0, 4000, "enough")
	x.until("hint: /reconnect reconnects, /quit ends")
	x.keys("lost\r")
	x.until("hint: /reconnect reconnects")
	x.keys("/reconnect\ragain\r")
	x.sent("again")
	x.keys("\x04")
	x.ended(0)
}

// Lines that are typed during a /wait are run after it, and Ctrl-C ends it. What was
// shown before a message is typed does not count.
func TestPromptWait(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.say(`{"go":1}`)
	x.shows(`{"go":1}`)
	x.keys("/wait .go\r")
	x.until("> /wait .go\n(waiting) >")
	x.keys("later\r/wait .more\r")
	x.say(`{"go":2}`)
	x.sent("later")
	x.say(`{"more":1}`)
	x.keys("after that\r")
	x.sent("after that")
	x.keys("/wait .never\r")
	x.until("> /wait .never\n(waiting) >")
	x.keys("not eaten\r\x03")
	x.shows("/wait: canceled")
	x.sent("not eaten")
	x.keys("/on .a => {b: .a}\r/on\r")
	x.until("> /on\n/on .a => {b: .a}\n>")
	x.say(`{"a":7}`)
	x.sent(`{"b":7}`)
	x.shows(`> {"b":7}`)
	x.keys("/quit\r")
	x.ended(0)
}
