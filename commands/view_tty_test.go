//go:build unix

package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// --view brief keeps each event on one row, whatever it is and while the terminal is
// resized.
func TestBriefOnTerminal(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `exec $HARK connect $URL -q --view brief --jq-timeout 0 </dev/null`)
	x.await("the connection", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.open == 1
	})
	x.say(`{"name":"日本語","n":1}`)
	x.until(" name 日本語 n 1")
	const long = `{"text":"0123456789012345678901234567890123456789012345678901234567890123456789","n":1}`
	x.say(long)
	x.until(" text 012345678901234567890123456789012345678901234…")
	x.resize(40, 12)
	x.say(long)
	x.until(" text 0123456789012345678901234…")
	for i := range 50 {
		x.resize(30+i, 12)
		x.say(fmt.Sprintf(`{"text":"\u001b[2J","i":%d,"more":%s}`, i, long))
	}
	x.say("end")
	x.until(" end")
}

// At the prompt as well, from now on.
func TestPromptView(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("/view brief\r")
	x.until("> /view brief\n>")
	x.say(`{"a":{"b":[1]}}`)
	x.until(" a.b [1]\n>")
	x.keys("/view wide\r")
	x.shows("pretty or brief")
	x.keys("/view pretty\r")
	x.until("> /view pretty\n>")
	x.say(`{"a":1}`)
	x.until("< {\n    \"a\": 1\n  }\n>")
	x.keys("/view json\r")
	x.until("> /view json\n>")
	x.say(`{"a":1}`)
	x.until("< {\"a\":1}\n>")
	x.keys("\x04")
	x.ended(0)
}

// What has scrolled away can be seen again, and copied.
func TestPromptLast(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `unset NO_COLOR; exec $HARK connect $URL -q --color always`)
	x.ready()
	x.keys("/last\r")
	x.until("nothing yet\n>")
	for _, text := range []string{`{"n":1}`, `{"n":2}`, "text", `{"n":3}`} {
		x.say(text)
		x.shows(text)
	}
	x.keys("/last 2 .n < 3\r")
	x.await("the messages again", func() bool {
		return strings.Count(x.screen(), `{"n":1}`) == 2 && strings.Count(x.screen(), `{"n":2}`) == 2
	})
	x.keys("/last .n == 9\r")
	x.until("no message matches\n>")
	x.keys("/last .n ==\r")
	x.shows("/last")
	x.keys("/copy 2\r")
	x.until("4 bytes copied, if the terminal allows that\n>")
	x.mu.Lock()
	raw := string(x.raw)
	x.mu.Unlock()
	for _, want := range []string{"\x1b]52;c;dGV4dA==\a", "\x1b[36m1\x1b[0m"} { // text, and a number in color
		if !strings.Contains(raw, want) {
			t.Errorf("%q was not written", want)
		}
	}
	x.keys("/copy 9\r")
	x.shows("there is no such message")
	x.keys("/?\r")
	x.shows("send /TEXT as a message")
	x.keys("/q\r")
	x.ended(0)
}

// What is delivered does not depend on how events are shown.
func TestBriefIsNotDelivered(t *testing.T) {
	t.Parallel()
	x := startTTY(t, `exec $HARK connect $URL -q --view brief --jq-timeout 0 -n 1 --to file:$HOME/out.ndjson </dev/null`)
	x.await("the connection", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.open == 1
	})
	x.say(`{"a":1}`)
	x.ended(0)
	got, err := os.ReadFile(filepath.Join(x.home, "out.ndjson"))
	if string(got) != `{"a":1}`+"\n" || err != nil {
		t.Errorf("delivered %q, %v", got, err)
	}
}
