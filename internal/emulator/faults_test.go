package emulator

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// faulty dials the public application with faults.
func (b *bench) faulty(spec string) *client {
	b.t.Helper()
	return b.dial("/drogue/public-app", FaultHeader+": "+spec)
}

// publishSame publishes numbered events of one device, so in order.
func (b *bench) publishSame(first, last int) {
	for n := first; n <= last; n++ {
		b.publishDrogue("public-app", measure("dev", "c", fmt.Sprint(n)))
	}
}

// Faults that end a connection, or break its rules, after so many events.
func TestFaultEndings(t *testing.T) {
	drop := func(c *client) { c.wantDrop() }
	for _, test := range []struct {
		spec   string
		events int
		check  func(c *client)
	}{
		{"drop", 0, drop},
		{"drop=3", 3, drop},
		{"after=2 drop", 2, drop},
		{"close=1001:going away soon", 0, func(c *client) { c.wantClose(1001, "going away soon") }},
		{"after=2 close=4999", 2, func(c *client) { c.wantClose(4999, "") }},
		{"close=1005", 0, func(c *client) { c.wantClose(1005, "") }},
		{"token-expired=1", 1, func(c *client) { c.wantClose(1008, "JWT token expired") }},
		{"stream-error=1", 1, func(c *client) { c.wantClose(1011, "Internal error: Stream error") }},
		{"malformed=1 drop=2", 1, func(c *client) {
			if got := c.text(); got != `{"malformed":` {
				c.t.Errorf("got %s", got)
			}
			c.text()
			c.wantDrop()
		}},
		{"invalid-utf8=1", 1, func(c *client) {
			if got := c.text(); !strings.Contains(got, "\xff") {
				c.t.Errorf("got %q", got)
			}
		}},
		{"masked=1", 1, func(c *client) {
			if _, _, err := c.read(); err == nil || !strings.Contains(err.Error(), "Masked:true") {
				c.t.Errorf("got %v", err)
			}
		}},
		{"after=1 giant=100000", 1, func(c *client) {
			if got := c.text(); len(got) != 100000 || !sameJSON(c.t, got[:10]+got[99998:], `{"giant":""}`) {
				c.t.Errorf("%d bytes: %.20s", len(got), got)
			}
		}},
	} {
		t.Run(test.spec, func(t *testing.T) {
			inBubble(t, quiet(), func(b *bench) {
				c := b.faulty(test.spec)
				b.publishSame(1, 5)
				for n := range test.events {
					if got := c.datum(); got != fmt.Sprint(n+1) {
						t.Errorf("event %s, want %d", got, n+1)
					}
				}
				test.check(c)
			})
		})
	}
}

// Faults that change which events come, and how.
func TestFaultEvents(t *testing.T) {
	for _, test := range []struct {
		spec string
		want []string
	}{
		{"duplicate", []string{"1", "1", "2", "2", "3", "3", "4", "4", "5", "5"}},
		{"duplicate=2", []string{"1", "2", "2", "3", "4", "4", "5"}},
		{"reorder", []string{"2", "1", "4", "3"}},
		{"reorder=3", []string{"3", "2", "1"}},
		{"lose=2", []string{"1", "3", "5"}},
		{"lose", nil},
		{"", []string{"1", "2", "3", "4", "5"}},
	} {
		inBubble(t, quiet(), func(b *bench) {
			c := b.faulty(test.spec)
			b.publishSame(1, 5)
			if got := c.data(); !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", test.spec, got, test.want)
			}
		})
	}
	inBubble(t, quiet(), func(b *bench) {
		c := b.faulty("binary")
		b.publishSame(1, 1)
		if op, payload, err := c.read(); op != frame.OpBinary || !strings.HasPrefix(string(payload), `{"spec`) || err != nil {
			t.Errorf("binary: %v %s, %v", op, payload, err)
		}
		c = b.faulty("extra")
		b.publishSame(1, 1)
		if got := c.text(); !strings.HasPrefix(got, `{"emulated":{"by":["hark",null]},"specversion":"1.0"`) {
			t.Errorf("extra: %s", got)
		}
		c = b.faulty("fragment=100")
		b.publishSame(1, 1)
		var frames []frame.Header
		var text []byte
		for {
			head, err := c.br.Peek(2)
			if err != nil {
				t.Fatal(err)
			}
			h, n := frame.ParseHeader(head)
			payload := make([]byte, n+int(h.Length))
			if _, err := io.ReadFull(c.br, payload); err != nil {
				t.Fatal(err)
			}
			frames, text = append(frames, h), append(text, payload[n:]...)
			if h.Fin {
				break
			}
		}
		if len(frames) < 3 || frames[0].Opcode != frame.OpText || frames[1].Opcode != frame.OpContinuation || !strings.Contains(string(text), `"data":1`) {
			t.Errorf("fragments %v of %s", frames, text)
		}
	})
}

// Silence: no frame goes out, none is taken, not even a close frame, and the
// connection stays.
func TestFaultSilence(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.faulty("silence=1")
		b.publishSame(1, 3)
		if got := c.datum(); got != "1" {
			t.Errorf("got %s", got)
		}
		c.send(frame.OpPing, "x")
		c.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
		if err := c.conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var ne net.Error
		if op, payload, err := c.read(); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("from the silence came %v %q, %v", op, payload, err)
		}
	})
}

// A pause holds events back, not pings, and loses nothing.
func TestFaultPause(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.faulty("after=2 pause=31s")
		b.publishSame(1, 3)
		if a, b := c.datum(), c.datum(); a != "1" || b != "2" {
			t.Errorf("got %s, %s", a, b)
		}
		start := time.Now()
		if got := c.datum(); got != "3" || time.Since(start) != 31*time.Second {
			t.Errorf("%s after %v", got, time.Since(start))
		}
	})
}

func TestFaultPong(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.dial(appPath(wire.DoshiiPathApp), FaultHeader+": delay-pong=2s")
		start := time.Now()
		c.send(frame.OpText, `{"doshii":{"ping":1}}`)
		c.send(frame.OpPing, "p")
		c.wantText(`{"doshii":{"pong":1,"version":"3.2.0"}}`)
		if op, _, err := c.read(); op != frame.OpPong || err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("%v, %v after %v", op, err, time.Since(start))
		}
		c = b.dial(appPath(wire.DoshiiPathApp), FaultHeader+": no-pong")
		c.send(frame.OpText, `{"doshii":{"ping":1}}`)
		c.send(frame.OpPing, "p")
		c.wantQuiet(10 * time.Second)
	})
}

// The faults of acknowledgements and sessions of Octave, asked for on the
// session request.
func TestFaultOctave(t *testing.T) {
	session := func(b *bench, spec string) *client {
		return b.dial(b.session(append(masterHeaders(), FaultHeader+": "+spec)...))
	}
	inBubble(t, quiet(), func(b *bench) {
		c := session(b, "ack-delay=3s")
		start := time.Now()
		c.send(frame.OpText, subscribeTo(DemoStream))
		c.wantText(octaveOK)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("acknowledged after %v", d)
		}

		c = session(b, "ack-after")
		c.send(frame.OpText, subscribeTo(DemoStream))
		c.wantQuiet(time.Minute / 2)
		c.send(frame.OpText, subscribeTo("/demo/nothing")) // a refusal does not wait
		if got := c.text(); !strings.Contains(got, `"ok":false`) {
			t.Errorf("got %s", got)
		}
		b.publishOctave(DemoStream, `{"n":1}`)
		if got := c.text(); !strings.Contains(got, `"type":"message"`) {
			t.Errorf("first came %s", got)
		}
		c.wantText(octaveOK)

		c = session(b, "ack-null absent")
		c.send(frame.OpText, subscribeTo(DemoStream))
		c.wantText(strings.Replace(octaveOK, `"body":{}`, `"body":null`, 1))
		b.publishOctave(DemoStream, `{"n":2}`)
		if got := c.text(); strings.Contains(got, "null") || strings.Contains(got, "tags") || !strings.Contains(got, `"elems":{"n":2}`) {
			t.Errorf("with members absent: %s", got)
		}

		path := b.session(append(masterHeaders(), FaultHeader+": session-expired")...)
		if _, res := b.upgrade(path); res.StatusCode != 404 {
			t.Errorf("an expired session: %s", res.Status)
		}
	})
}

// Requests are refused with status and Retry-After, in the manner of each
// service, as often as times says, by header and by options alike.
func TestFaultRefuse(t *testing.T) {
	opts := quiet()
	opts.Faults = []string{"refuse=429:7 times=1"}
	inBubble(t, opts, func(b *bench) {
		res := b.request("POST", "/octave/session", "", masterHeaders()...)
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" ||
			unmarshal[wire.OctaveAnswer](t, body).Head.Status != 429 {
			t.Errorf("%s %v %s", res.Status, res.Header, body)
		}
		b.dial(b.session(masterHeaders()...)) // the socket has the plan of its session
		spec := FaultHeader + ": refuse=503 times=2"
		for range 2 {
			if _, res := b.upgrade("/drogue/public-app", spec); res.StatusCode != 503 {
				t.Errorf("drogue: %s", res.Status)
			}
		}
		b.dial("/drogue/public-app", spec)
		if _, res := b.upgrade(appPath(wire.DoshiiPathApp), FaultHeader+": refuse=500"); res.StatusCode != 500 {
			t.Errorf("doshii: %s", res.Status)
		}
		if status, _ := b.rest("GET", "/demo/stream", "", append(masterHeaders(), FaultHeader+": refuse=502")...); status != 502 {
			t.Errorf("REST: %d", status)
		}
		if _, res := b.upgrade("/drogue/public-app", FaultHeader+": expldoe"); res.StatusCode != 400 {
			t.Errorf("unknown fault: %s", res.Status)
		}
	})
}

func TestFaultSlow(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		start := time.Now()
		b.faulty("slow=3s")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("the handshake took %v", d)
		}
	})
}

// random chooses, repeatably by the seed, and only among what is in the table.
func TestFaultRandom(t *testing.T) {
	roll := func(seed uint64, service string) (specs []string) {
		opts := quiet()
		opts.Seed = seed
		f, err := newFaultSource(t.Context(), opts, Services())
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			specs = append(specs, f.roll(service, 10))
		}
		return specs
	}
	for _, service := range Services() {
		specs := roll(1, service)
		if !slices.Equal(specs, roll(1, service)) || slices.Equal(specs, roll(2, service)) {
			t.Errorf("%s: the choice does not follow the seed", service)
		}
		for _, spec := range specs {
			if _, err := parseFaults(spec); err != nil {
				t.Errorf("%s: %s: %v", service, spec, err)
			}
		}
		if n := len(slices.Compact(slices.Sorted(slices.Values(specs)))); n < 20 {
			t.Errorf("%s: %d different faults in 200", service, n)
		}
	}
	opts := quiet()
	opts.Faults = []string{"random=3"}
	inBubble(t, opts, func(b *bench) {
		for range 30 {
			if c, _ := b.upgrade("/drogue/public-app"); c != nil {
				b.publishSame(1, 10)
				c.data2()
				c.conn.Close()
			}
		}
	})
}

// data2 reads whatever comes until nothing does.
func (c *client) data2() {
	_ = c.conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.Copy(io.Discard, c.br)
}

// Every row of the table can be asked for as it is written, and wrong arguments
// are named.
func TestFaultTable(t *testing.T) {
	example := map[string]string{
		"N": "3", "[N]": "3", "[K]": "3", "[BYTES]": "3", "DURATION": "3s", "CODE[:REASON]": "1001:x y", "STATUS[:SECONDS]": "503:3",
	}
	for _, f := range Faults() {
		specs := []string{f.Name}
		if f.Argument != "" {
			specs = []string{f.Name + "=" + example[f.Argument]}
			if f.Argument[0] == '[' {
				specs = append(specs, f.Name)
			}
		}
		for _, spec := range specs {
			if _, err := parseFaults(spec); err != nil {
				t.Errorf("%s: %v", spec, err)
			}
		}
		if f.Meaning == "" || f.String() == "" {
			t.Errorf("%s has no meaning", f.Name)
		}
	}
	for spec, want := range map[string]string{
		"drop=x":                                 `fault drop: "x" is no number`,
		"close=x":                                `fault close: "x" is no status code`,
		"refuse=200":                             `fault refuse: "200" is no HTTP status from 400 to 599`,
		"refuse=503:soon":                        `fault refuse: "soon" is no number of seconds`,
		"slow=3":                                 `fault slow: "3": expected a duration such as 500ms`,
		"pause=0s":                               `fault pause: "0s": expected a duration such as 500ms`,
		"fragment=0":                             `fault fragment: "0": expected a number of at least 1`,
		"reorder=1":                              `fault reorder: "1": expected a number of at least 2`,
		"times=0":                                `fault times: "0": expected a number of at least 1`,
		"lose=":                                  `fault lose: "" is no number`,
		"binary=1":                               "fault binary: it takes no argument",
		"drop nonsense":                          "fault nonsense: there is no such fault",
		"close=1000:" + strings.Repeat("x", 124): "fault close: the reason is longer than 123 bytes",
	} {
		if _, err := parseFaults(spec); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
	if got := (Fault{Name: "a", Argument: "[N]"}).String(); got != "a[=N]" {
		t.Errorf("written as %s", got)
	}
}

func FuzzFaults(f *testing.F) {
	f.Add("after=3 close=1001:going away drop giant=5 refuse=503:1")
	f.Fuzz(func(t *testing.T, spec string) {
		if _, err := parseFaults(spec); err == nil && strings.TrimSpace(spec) != "" && len(splitFaults(spec)) == 0 {
			t.Errorf("%q was taken for nothing", spec)
		}
	})
}
