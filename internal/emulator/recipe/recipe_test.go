package recipe

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/recipes"
)

const sample = `# case other
> request .url == "https://a.example/other" => 201 other
# open
> .ping
< "another pong"
> .resume
< "resumed"
# case played
# open => 101
< "hello"
= ready
> .a
> .b
< "welcome"
> .c
# live
< 1
= event 1
<b AP8=
+ 30s
> .ping == 1
< "pong"
< 2
! cut
# case last
> request .method == "POST" and .body.n == 1 => 200 {"ok":true}
# open
= exit 0
`

func run(t *testing.T, text string, framing transcript.Framing, rate float64, f func(b *emulatortest.Bench)) {
	t.Helper()
	file, err := transcript.Parse("x.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Service("sample", file, framing)
	if err != nil {
		t.Fatal(err)
	}
	opts := emulator.DefaultOptions()
	opts.Rate = rate
	emulatortest.Run(t, opts, emulator.Services{s}, f)
}

// The case is played up to # live at once, in the order of the client, and then again
// and again at the rate.
func TestPlay(t *testing.T) {
	run(t, sample, transcript.Framing{}, 1, func(b *emulatortest.Bench) {
		c := b.Dial("/recipe/", "Sec-WebSocket-Protocol: p, q")
		c.WantText(`"hello"`)
		c.Send(frame.OpText, `{"b":1}`)
		c.Send(frame.OpText, `{"resume":1}`) // which another case answers
		c.WantText(`"resumed"`)
		c.Send(frame.OpText, `{"a":1}`)
		c.WantText(`"welcome"`)
		begun := time.Now()
		c.Send(frame.OpText, `{"c":1}`)
		c.WantText(`1`)
		if op, payload, err := c.Read(); op != frame.OpBinary || string(payload) != "\x00\xff" || err != nil {
			t.Errorf("%v %q %v", op, payload, err)
		}
		if d := time.Since(begun); d != 2*time.Second {
			t.Errorf("after %s", d)
		}
		c.WantText(`1`)
		c.Send(frame.OpText, `{"ping":1}`)
		c.WantText(`"pong"`)
		c.WantText(`2`)
		c.Send(frame.OpText, `{"ping":2}`)
		c.WantText(`"another pong"`)
	})
}

// What no line awaits is an error that says so.
func TestUnknownMessage(t *testing.T) {
	run(t, sample, transcript.Framing{}, 0, func(b *emulatortest.Bench) {
		c := b.Dial("/recipe/")
		c.WantText(`"hello"`)
		c.Send(frame.OpText, `no JSON`)
		c.WantClose(frame.StatusPolicy, "the transcript awaits: > .a")
		c = b.Dial("/recipe/")
		c.WantText(`"hello"`)
		c.Send(frame.OpText, `{"a":1}`)
		c.Send(frame.OpText, `{"b":1}`)
		c.WantText(`"welcome"`)
		c.Send(frame.OpText, `{"c":1}`)
		c.Send(frame.OpText, `{"d":1}`)
		c.WantClose(frame.StatusPolicy, "the transcript has no > for this message")
		if _, res := b.Upgrade("/recipe/", "Sec-WebSocket-Version: 9"); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s", res.Status)
		}
	})
}

// A message in a text frame ends with the separator, in both directions.
func TestSeparator(t *testing.T) {
	run(t, sample, transcript.Framing{Separator: "\x1e"}, 1, func(b *emulatortest.Bench) {
		c := b.Dial("/recipe/")
		if got := c.Text(); got != "\"hello\"\x1e" {
			t.Errorf("%q", got)
		}
		c.Send(frame.OpText, "{\"a\":1}\x1e{\"b\":1}\x1e")
		if got := c.Text(); got != "\"welcome\"\x1e" {
			t.Errorf("%q", got)
		}
		c.Send(frame.OpText, "{\"c\":1}\x1e")
		if got := c.Text(); got != "1\x1e" {
			t.Errorf("%q", got)
		}
	})
}

// Requests are answered by the first line that is true of them, whatever their address.
func TestRequests(t *testing.T) {
	run(t, sample, transcript.Framing{}, 0, func(b *emulatortest.Bench) {
		client := &http.Client{Transport: Transport(b.HTTP.Transport)}
		for _, tt := range []struct {
			method, url, body string
			status            int
		}{
			{"GET", "https://a.example/other", "", 201},
			{"POST", "https://a.example/x", `{"n":1}`, 200},
			{"POST", "https://a.example/x", `no`, 404},
			{"GET", "http://a.example/x", "", 404},
		} {
			req, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.status || resp.Request.URL.String() != tt.url {
				t.Errorf("%+v: %s from %s", tt, resp.Status, resp.Request.URL)
			}
		}
	})
}

// Faults happen as with all emulators, and an end of the case is one of the connection.
func TestFaults(t *testing.T) {
	run(t, "# case a\n# open\n! close 4000 x\n< 1\n# live\n< 2\n", transcript.Framing{}, 1, func(b *emulatortest.Bench) {
		b.Dial("/recipe/").WantClose(4000, "x")
	})
	run(t, "# case a\n# open\n# live\n< 2\n", transcript.Framing{}, 1, func(b *emulatortest.Bench) {
		c := b.Dial("/recipe/", "X-Emulate: after=1 close=4001:y")
		c.WantText("2")
		c.WantClose(4001, "y")
		if _, res := b.Upgrade("/recipe/", "X-Emulate: refuse=503"); res.StatusCode != 503 {
			t.Errorf("%s", res.Status)
		}
	})
	if _, err := Service("x", &transcript.File{}, transcript.Framing{}); err != ErrNoLive {
		t.Errorf("%v", err)
	}
}

// Each recipe that is built in has a case to play.
func TestBuiltIn(t *testing.T) {
	for _, name := range recipes.Names() {
		text, _ := recipes.Transcript(name)
		run(t, string(text), transcript.Framing{}, 1, func(b *emulatortest.Bench) { b.Dial("/recipe/") })
	}
}
