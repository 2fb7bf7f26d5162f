//go:build unix

package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestPromptTalks(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("half a")
	x.until("> half a")
	x.say("hello")
	x.say(`{"type":"order","x-y":1}`)
	x.say("evil \x1b[2J\x07 text\nof two lines")
	x.hub.Send(0, true, []byte{0, 255})
	x.until("< hello\n< {\"type\":\"order\",\"x-y\":1}\n< evil ␛[2J␇ text\n  of two lines\n< [2 bytes] 00 ff\n> half a")
	x.keys(" line\r")
	x.sent("half a line")
	// Keys and names in messages are completed.
	x.keys("\"ord\t\r")
	x.sent(`"order"`)
	x.keys("/jq .ty\t\r/pretty\r")
	x.until("pretty on\n>")
	x.say(`{"type":{"a":1}}`)
	x.until("< {\n    \"a\": 1\n  }\n>")
	x.keys("/jq .[\r")
	x.until("\n>")
	x.keys("/jq off\r{\"a\":\r1}\r")
	x.sent("{\"a\":\n1}")
	x.keys("/pign\r")
	x.until("hint: did you mean /ping? /help lists the commands, //\npign sends it as a message\n>")
	x.keys("/ping\r")
	x.shows("pong 1 after")
	x.keys("/quit\r")
	x.ended(0)
}

func TestPromptEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(x *tty)
		code int
	}{
		{"Ctrl-C on text and on an empty line", func(x *tty) {
			x.keys("text\x03")
			x.until("> text^C\n>")
			x.keys("\x03")
		}, 0},
		{"Ctrl-D", func(x *tty) { x.keys("\x04") }, 0},
		{"SIGTERM while typing", func(x *tty) {
			x.keys("text")
			x.until("> text")
			x.cmd.Process.Signal(syscall.SIGTERM)
		}, 143},
		{"two signals", func(x *tty) {
			x.cmd.Process.Signal(syscall.SIGTERM)
			x.cmd.Process.Signal(syscall.SIGTERM)
		}, 143},
		{"SIGQUIT", func(x *tty) { x.cmd.Process.Signal(syscall.SIGQUIT) }, 131},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := startTTY(t, plainPrompt)
			x.ready()
			x.until(">")
			tt.do(x)
			x.ended(tt.code)
		})
	}
}

// A hangup of the terminal is not a normal end: neither at the prompt, whose input ends
// then, nor for a stream that prints there, even if the signal is ignored.
func TestTerminalHangsUp(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"prompt":                      plainPrompt,
		"prompt, ignoring the signal": `trap "" HUP; exec $HARK connect $URL -q`,
		"stream":                      `exec $HARK connect $URL --status none --ready-file $HOME/ready </dev/null`,
		"stream, ignoring the signal": `trap "" HUP; exec $HARK connect $URL --status none --ready-file $HOME/ready </dev/null`,
	} {
		t.Run(name, func(t *testing.T) {
			x := startTTY(t, script)
			if strings.HasPrefix(name, "prompt") {
				x.ready()
				x.until(">")
			} else {
				x.await("hark is not ready", func() bool {
					_, err := os.Stat(filepath.Join(x.home, "ready"))
					return err == nil
				})
			}
			x.hangUp()
			x.exits(129)
		})
	}
}

// However hark ends, the terminal is in its original mode.
func TestPromptCrash(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `sh -c 'echo $$ >$HOME/pid; exec $HARK connect $URL -q'; echo crashed; read line; echo "shell has $line"`)
	x.ready()
	x.keys("half")
	x.until("> half")
	b, err := os.ReadFile(filepath.Join(x.home, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	x.restored()
	x.keys("words\n")
	x.until("shell has words")
	x.ended(0)
}

// A server that cannot be reached is an error, not a prompt.
func TestPromptNobodyThere(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `exec $HARK connect ws://127.0.0.1:1/`)
	x.ended(3)
}

// The server closes while a line is being typed: the line stays, and is sent on the
// next connection.
func TestPromptPeerCloses(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("half")
	x.until("> half")
	x.hub.Disconnect(0, 4000, "go away")
	x.until("(closed) > half")
	if !strings.Contains(x.screen(), "4000:\ngo away") {
		t.Errorf("the reason is not there:\n%s", x.screen())
	}
	x.keys(" a line\r")
	x.until("/reconnect reconnects\n(closed) >")
	x.keys("/reconnect\r")
	x.ready()
	x.keys("\x1b[A\x1b[A\r") // out of the history
	x.sent("half a line")
	x.keys("/quit\r")
	x.ended(0)
}

// 20,000 messages while someone types: no key is lost, and no message.
func TestPromptBurst(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	const n, typed = 20_000, "the quick brown fox jumps over the lazy dog"
	var burst sync.WaitGroup
	burst.Go(func() {
		for i := range n {
			x.say(fmt.Sprintf(`{"n":%d}`, i))
		}
		x.say("the end")
	})
	for _, r := range typed {
		x.keys(string(r))
	}
	burst.Wait()
	x.until("< the end\n> " + typed)
	x.keys("\r")
	x.sent(typed)
	x.mu.Lock()
	rest := string(x.raw)
	x.mu.Unlock()
	for i := range n {
		_, after, ok := strings.Cut(rest, fmt.Sprintf("< {\"n\":%d}\r\n", i))
		if !ok {
			t.Fatalf("message %d is missing", i)
		}
		rest = after
	}
	x.keys("\x04")
	x.ended(0)
}

func TestPromptPaste(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.until(">")
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`"line %d",`, i))
	}
	x.keys("\x1b[200~[" + strings.Join(lines, "\r\n") + "0]\x1b[201~\r")
	x.sent("[" + strings.Join(lines, " ") + "0]")
	x.keys("\x04")
	x.ended(0)
}

func TestPromptSuspend(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `set -m; $HARK connect $URL -q; echo suspended; read line; echo "shell has $line"; fg >/dev/null; echo over`)
	x.ready()
	x.keys("half")
	x.until("> half")
	x.keys("\x1a")
	x.until("suspended")
	x.restored()
	x.keys("words\r")
	x.until("shell has words\n> half")
	x.keys(" a line\r")
	x.sent("half a line")
	x.keys("\x04")
	x.until("over")
	x.ended(0)
}

func TestPromptEdit(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `EDITOR='sh -c "echo edited; read line; echo \$line >\$0"' exec $HARK connect $URL -q`)
	x.ready()
	x.until(">")
	x.keys("/edit\r")
	x.until("edited")
	x.keys("a text\r")
	x.sent("a text")
	x.keys("\x04")
	x.ended(0)
}

func TestPromptHistory(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `$HARK connect $URL -q; exec $HARK connect $URL -q`)
	x.ready()
	x.keys("first\r {\"left\":\"out\"}\r{\"password\":\"x\"}\r")
	x.sent("first")
	x.sent(` {"left":"out"}`)
	x.sent(`{"password":"x"}`)
	x.keys("\x04")
	x.gone()
	x.ready()
	x.keys("\x1b[A\r")
	x.sent("first")
	x.keys("\x04")
	x.ended(0)
	files, err := filepath.Glob(filepath.Join(x.home, ".local/state/hark/history/*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("history files: %v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || string(b) != "first\nfirst\n" {
		t.Errorf("history %q, %v", b, err)
	}
}

// The script of /save passes against the same server.
func TestPromptSave(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `cd $HOME; $HARK connect $URL -q; PATH=$HOME:$PATH; export PATH; sh smoke.txt; echo "smoke test: $?"`)
	x.ready()
	x.keys("it's me\r")
	x.sent("it's me")
	x.say(`{"id":"a1b2","greeting":"hello"}`)
	x.until("< {\"id\":\"a1b2\",\"greeting\":\"hello\"}\n>")
	x.keys("/save smoke.txt\r")
	x.until("saved; run it with: sh smoke.txt\n>")
	x.keys("/quit\r")
	x.sent("it's me")
	x.say(`{"id":"another","greeting":"hello"}`)
	x.until("smoke test: 0")
	x.ended(0)
}
