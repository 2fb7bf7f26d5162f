package emulator_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	doshiiwire "github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
	octavewire "github.com/hark-cli/hark/proto/octave/wire"
)

func parse(spec string) error { return emulator.ParseFaults(everyOptions().services(), spec) }

// faulty dials the public application with faults.
func faulty(b *emulatortest.Bench, spec string) *emulatortest.Client {
	b.T.Helper()
	return b.Dial("/drogue/public-app", emulator.FaultHeader+": "+spec)
}

// publishSame publishes numbered events of one device, so in order.
func publishSame(b *emulatortest.Bench, first, last int) {
	for n := first; n <= last; n++ {
		event := fmt.Sprintf(`{"application":"public-app","device":"dev","subject":"c","data":%d}`, n)
		if err := b.E.Publish([]byte(event)); err != nil {
			b.T.Fatal(err)
		}
	}
}

// Faults that end a connection, or violate the protocol, after a number of events.
func TestFaultEndings(t *testing.T) {
	drop := func(c *emulatortest.Client) { c.WantDrop() }
	for _, test := range []struct {
		spec   string
		events int
		check  func(c *emulatortest.Client)
	}{
		{"drop", 0, drop},
		{"drop=3", 3, drop},
		{"after=2 drop", 2, drop},
		{"close=1001:going away soon", 0, func(c *emulatortest.Client) { c.WantClose(1001, "going away soon") }},
		{"after=2 close=4999", 2, func(c *emulatortest.Client) { c.WantClose(4999, "") }},
		{"close=1005", 0, func(c *emulatortest.Client) { c.WantClose(1005, "") }},
		{"token-expired=1", 1, func(c *emulatortest.Client) { c.WantClose(1008, "JWT token expired") }},
		{"stream-error=1", 1, func(c *emulatortest.Client) { c.WantClose(1011, "Internal error: Stream error") }},
		{"malformed=1 drop=2", 1, func(c *emulatortest.Client) {
			if got := c.Text(); got != `{"malformed":` {
				c.T.Errorf("got %s", got)
			}
			c.Text()
			c.WantDrop()
		}},
		{"invalid-utf8=1", 1, func(c *emulatortest.Client) {
			if got := c.Text(); !strings.Contains(got, "\xff") {
				c.T.Errorf("got %q", got)
			}
		}},
		{"masked=1", 1, func(c *emulatortest.Client) {
			if _, _, err := c.Read(); err == nil || !strings.Contains(err.Error(), "Masked:true") {
				c.T.Errorf("got %v", err)
			}
		}},
		{"after=1 giant=100000", 1, func(c *emulatortest.Client) {
			if got := c.Text(); len(got) != 100000 || !emulatortest.SameJSON(c.T, got[:10]+got[99998:], `{"giant":""}`) {
				c.T.Errorf("%d bytes: %.20s", len(got), got)
			}
		}},
	} {
		t.Run(test.spec, func(t *testing.T) {
			inBubble(t, quiet(), func(b *emulatortest.Bench) {
				c := faulty(b, test.spec)
				publishSame(b, 1, 5)
				for n := range test.events {
					if got := c.Datum(); got != fmt.Sprint(n+1) {
						t.Errorf("event %s, want %d", got, n+1)
					}
				}
				test.check(c)
			})
		})
	}
}

// Faults that change events.
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
		inBubble(t, quiet(), func(b *emulatortest.Bench) {
			c := faulty(b, test.spec)
			publishSame(b, 1, 5)
			if got := c.Data(); !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", test.spec, got, test.want)
			}
		})
	}
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		c := faulty(b, "binary")
		publishSame(b, 1, 1)
		if op, payload, err := c.Read(); op != frame.OpBinary || !strings.HasPrefix(string(payload), `{"spec`) || err != nil {
			t.Errorf("binary: %v %s, %v", op, payload, err)
		}
		c = faulty(b, "extra")
		publishSame(b, 1, 1)
		if got := c.Text(); !strings.HasPrefix(got, `{"emulated":{"by":["hark",null]},"specversion":"1.0"`) {
			t.Errorf("extra: %s", got)
		}
		c = faulty(b, "fragment=100")
		publishSame(b, 1, 1)
		var frames []frame.Header
		var text []byte
		for {
			head, err := c.Br.Peek(2)
			if err != nil {
				t.Fatal(err)
			}
			h, n := frame.ParseHeader(head)
			payload := make([]byte, n+int(h.Length))
			if _, err := io.ReadFull(c.Br, payload); err != nil {
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

// Silence: no frame is sent or read, not even a close frame, and the connection stays
// open.
func TestFaultSilence(t *testing.T) {
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		c := faulty(b, "silence=1")
		publishSame(b, 1, 3)
		if got := c.Datum(); got != "1" {
			t.Errorf("got %s", got)
		}
		c.Send(frame.OpPing, "x")
		c.Send(frame.OpClose, string(frame.ClosePayload(1000, "")))
		if err := c.Conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var ne net.Error
		if op, payload, err := c.Read(); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("from the silence came %v %q, %v", op, payload, err)
		}
	})
}

// A pause delays events, not pings, and loses nothing.
func TestFaultPause(t *testing.T) {
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		c := faulty(b, "after=2 pause=31s")
		publishSame(b, 1, 3)
		if a, b := c.Datum(), c.Datum(); a != "1" || b != "2" {
			t.Errorf("got %s, %s", a, b)
		}
		start := time.Now()
		if got := c.Datum(); got != "3" || time.Since(start) != 31*time.Second {
			t.Errorf("%s after %v", got, time.Since(start))
		}
	})
}

// Requests are refused with status and Retry-After, with the error of each service, as
// often as times says, by header and by options.
func TestFaultRefuse(t *testing.T) {
	opts := quiet()
	opts.Faults = []string{"refuse=429:7 times=1"}
	inBubble(t, opts, func(b *emulatortest.Bench) {
		res := b.Request("POST", "/octave/session", "", masterHeaders()...)
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" ||
			emulatortest.Unmarshal[octavewire.Answer](t, body).Head.Status != 429 {
			t.Errorf("%s %v %s", res.Status, res.Header, body)
		}
		b.Dial(session(b)) // the socket has the plan of its session
		spec := emulator.FaultHeader + ": refuse=503 times=2"
		for range 2 {
			if _, res := b.Upgrade("/drogue/public-app", spec); res.StatusCode != 503 {
				t.Errorf("drogue: %s", res.Status)
			}
		}
		b.Dial("/drogue/public-app", spec)
		if _, res := b.Upgrade(appPath(doshiiwire.PathApp), emulator.FaultHeader+": refuse=500"); res.StatusCode != 500 {
			t.Errorf("doshii: %s", res.Status)
		}
		if status, _ := b.Do("GET", "/octave/v5.0/demo/stream", "", append(masterHeaders(), emulator.FaultHeader+": refuse=502")...); status != 502 {
			t.Errorf("REST: %d", status)
		}
		if _, res := b.Upgrade("/drogue/public-app", emulator.FaultHeader+": expldoe"); res.StatusCode != 400 {
			t.Errorf("unknown fault: %s", res.Status)
		}
	})
}

func TestFaultSlow(t *testing.T) {
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		start := time.Now()
		faulty(b, "slow=3s")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("the handshake took %v", d)
		}
	})
}

// random chooses, repeatably by the seed, and only from the table.
func TestFaultRandom(t *testing.T) {
	roll := func(seed uint64, service string) []string {
		opts := quiet()
		opts.Seed = seed
		specs, err := emulator.RollFaults(opts.services(), opts.Options, service, 5000)
		if err != nil {
			t.Fatal(err)
		}
		return specs
	}
	for _, service := range everyOptions().services().Names() {
		specs := roll(1, service)
		if !slices.Equal(specs, roll(1, service)) || slices.Equal(specs, roll(2, service)) {
			t.Errorf("%s: the choice does not follow the seed", service)
		}
		for _, spec := range specs {
			if err := parse(spec); err != nil {
				t.Errorf("%s: %s: %v", service, spec, err)
			}
		}
		if n := len(slices.Compact(slices.Sorted(slices.Values(specs)))); n < 20 {
			t.Errorf("%s: %d different faults in 5000", service, n)
		}
	}
	opts := quiet()
	opts.Faults = []string{"random=3"}
	inBubble(t, opts, func(b *emulatortest.Bench) {
		for range 30 {
			if c, _ := b.Upgrade("/drogue/public-app"); c != nil {
				publishSame(b, 1, 10)
				data2(c)
				c.Conn.Close()
			}
		}
	})
}

// data2 reads events until none arrives.
func data2(c *emulatortest.Client) {
	_ = c.Conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.Copy(io.Discard, c.Br)
}

// Every row of the table is accepted as it is written, and invalid arguments are
// reported.
func TestFaultTable(t *testing.T) {
	example := map[string]string{
		"N": "3", "[N]": "3", "[K]": "3", "[BYTES]": "3", "DURATION": "3s", "CODE[:REASON]": "1001:x y", "STATUS[:SECONDS]": "503:3",
	}
	for _, f := range everyOptions().services().Faults() {
		specs := []string{f.Name}
		if f.Argument != "" {
			specs = []string{f.Name + "=" + example[f.Argument]}
			if f.Argument[0] == '[' {
				specs = append(specs, f.Name)
			}
		}
		for _, spec := range specs {
			if err := parse(spec); err != nil {
				t.Errorf("%s: %v", spec, err)
			}
		}
		if f.Meaning == "" || f.String() == "" {
			t.Errorf("%s has no meaning", f.Name)
		}
	}
	for spec, want := range map[string]string{
		"drop=x":                                 `fault drop: "x" is not a number`,
		"close=x":                                `fault close: "x" is not a status code`,
		"refuse=200":                             `fault refuse: "200" is not an HTTP status from 400 to 599`,
		"refuse=503:soon":                        `fault refuse: "soon" is not a number of seconds`,
		"slow=3":                                 `fault slow: "3": expected a duration such as 500ms`,
		"pause=0s":                               `fault pause: "0s": expected a duration such as 500ms`,
		"fragment=0":                             `fault fragment: "0": expected a number of at least 1`,
		"reorder=1":                              `fault reorder: "1": expected a number of at least 2`,
		"times=0":                                `fault times: "0": expected a number of at least 1`,
		"lose=":                                  `fault lose: "" is not a number`,
		"binary=1":                               "fault binary: it has no argument",
		"drop nonsense":                          "fault nonsense: unknown fault",
		"close=1000:" + strings.Repeat("x", 124): "fault close: the reason is longer than 123 bytes",
	} {
		if err := parse(spec); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
	if got := (emulator.Fault{Name: "a", Argument: "[N]"}).String(); got != "a[=N]" {
		t.Errorf("written as %s", got)
	}
}

func FuzzFaults(f *testing.F) {
	f.Add("after=3 close=1001:going away drop giant=5 refuse=503:1")
	f.Fuzz(func(t *testing.T, spec string) {
		if err := parse(spec); err == nil && strings.TrimSpace(spec) != "" && len(emulator.SplitFaults(everyOptions().services(), spec)) == 0 {
			t.Errorf("%q was taken for nothing", spec)
		}
	})
}
