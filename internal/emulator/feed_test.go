package emulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// What a service has sent can be published again, in short forms too.
func TestPublish(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		octave := b.dial(b.session(masterHeaders()...))
		octave.send(frame.OpText, subscribeTo(DemoStream))
		octave.wantText(octaveOK)
		drogue := b.dial("/drogue/demo-app", basic(DrogueUser, DrogueAccessToken))
		doshii := b.dial(appPath(wire.DoshiiPathApp))
		pos := b.dial("/doshii/pos/socket?token=" + DoshiiLocationToken)
		for _, test := range []struct {
			event string
			c     *client
			want  []string
		}{
			{`{"elems":{"n":1}}`, octave, []string{`"elems":{"n":1}`, `"path":"/demo/stream"`}},
			{`{"type":"message","resource":"x","value":{"path":"/demo/stream","elems":{"n":2},"hash":"h"}}`, octave, []string{`"elems":{"n":2}`, `"hash":"h"`}},
			{`{"specversion":"1.0","data":{"n": 3}}`, drogue, []string{`"data":{"n":3}`, `"application":"demo-app"`, `"type":"io.drogue.event.v1"`}},
			{`{"id":"i-4","subject":"c","device":"d","sender":"g","datacontenttype":"text/plain","data":"x","hwaddr":"h"}`, drogue,
				[]string{`"id":"i-4"`, `"subject":"c"`, `"device":"d"`, `"sender":"g"`, `"datacontenttype":"text/plain"`, `"data":"x"`, `"hwaddr":"h"`, `"partitionkey":"demo%2Dapp/g"`}},
			{`{"type":"io.drogue.connection.v1","data_base64":"AQL/"}`, drogue, []string{`"type":"io.drogue.connection.v1"`, `"data_base64":"AQL/"`}},
			{`{"emit":["order_created",{"id":"1","data":1}]}`, doshii, []string{`{"emit":["order_created",{"id":"1","data":1}]}`}},
			{`{"emit":["order_created",{"id":"2"}],"pos":true}`, pos, []string{`{"emit":["order_created",{"id":"2"}]}`}},
		} {
			if err := b.e.Publish([]byte(test.event)); err != nil {
				t.Errorf("%s: %v", test.event, err)
				continue
			}
			got := test.c.text()
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("%s became %s, without %s", test.event, got, part)
				}
			}
			// And once more as it came.
			if err := b.e.Publish([]byte(got)); test.c != pos && err != nil {
				t.Errorf("%s: %v", got, err)
			} else if test.c != pos {
				test.c.text()
			}
		}
		if err := b.e.Publish([]byte(`{"path":"/demo/new/one","elems":{}}`)); err != nil || b.octave().store.find("", "/demo/new/one") == nil {
			t.Errorf("a stream that is not there: %v", err)
		}
		for _, bad := range []string{
			``, `1`, `{}`, `{"elems":1}`, `{"value":{}}`, `{"path":"x","elems":{}}`, `{"streamId":"s1","elems":{}}`,
			`{"data":1,"application":"x"}`, `{"data_base64":"*"}`, `{"data":1,"datacontenttype":"text/plain"}`, `{"data":1,"subject":1}`,
			`{"emit":[]}`, `{"emit":1}`,
		} {
			if err := b.e.Publish([]byte(bad)); err == nil {
				t.Errorf("%s was taken", bad)
			}
		}
	})
}

// Events over HTTP, without credentials.
func TestServeEvents(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.dial(appPath(wire.DoshiiPathApp))
		if status, body := b.do("POST", eventsPath, "{\"emit\":[\"a\",{}]}\n\n{\"emit\":[\"b\",{}]}\n"); status != 204 {
			t.Errorf("%d %s", status, body)
		}
		c.wantText(`{"emit":["a",{}]}`)
		c.wantText(`{"emit":["b",{}]}`)
		if status, body := b.do("POST", eventsPath, "{\"emit\":[\"a\",{}]}\nx\n"); status != 400 || !strings.HasPrefix(string(body), "line 2: ") {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := b.do("GET", eventsPath, ""); status != 405 {
			t.Errorf("GET: %d", status)
		}
	})
}

// Lines wait for the first listener, then come at the rate.
func TestFeed(t *testing.T) {
	const lines = "{\"emit\":[\"a\",{}]}\n{\"emit\":[\"b\",{}]}\n\n{\"emit\":[\"c\",{}]}"
	none := func(line int, err error) { t.Errorf("line %d: %v", line, err) }
	inBubble(t, quiet(), func(b *bench) {
		done := make(chan error, 1)
		go func() { done <- b.e.Feed(b.t.Context(), strings.NewReader(lines), 2, none) }()
		time.Sleep(time.Minute)
		start := time.Now()
		c := b.dial(appPath(wire.DoshiiPathApp))
		for _, name := range []string{"a", "b", "c"} {
			c.wantText(`{"emit":["` + name + `",{}]}`)
		}
		if d := time.Since(start); d != 1500*time.Millisecond {
			t.Errorf("three events at 2 per second took %v", d)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		// A line that is no event is left out, and the others are sent.
		var bad []int
		err := b.e.Feed(b.t.Context(), strings.NewReader("{\"emit\":[\"d\",{}]}\n{}\nx\n{\"emit\":[\"e\",{}]}"), 0, func(line int, err error) {
			if bad = append(bad, line); err == nil {
				t.Errorf("line %d: no reason", line)
			}
		})
		if err != nil || !slices.Equal(bad, []int{2, 3}) {
			t.Errorf("bad lines %v, %v", bad, err)
		}
		c.wantText(`{"emit":["d",{}]}`)
		c.wantText(`{"emit":["e",{}]}`)
		broken := errors.New("disk on fire")
		if err := b.e.Feed(b.t.Context(), iotest.ErrReader(broken), 0, none); !errors.Is(err, broken) {
			t.Errorf("a reader that fails: %v", err)
		}
		ctx, cancel := context.WithCancelCause(b.t.Context())
		stop := errors.New("stop")
		cancel(stop)
		if err := b.e.Feed(ctx, strings.NewReader(lines), 1, none); !errors.Is(err, stop) {
			t.Errorf("after the end of its context: %v", err)
		}
	})
	inBubble(t, quiet(), func(b *bench) {
		done := make(chan error, 1)
		go func() { done <- b.e.Feed(b.t.Context(), strings.NewReader(lines), 1, none) }()
		synctest.Wait()
		if err := b.e.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("closed before anybody listened: %v", err)
		}
	})
}

// Nothing that is published makes the emulator fail.
func FuzzPublish(f *testing.F) {
	for _, text := range []string{`{"elems":{}}`, `{"value":{"path":"/a","elems":{"a":1}}}`, `{"data":1,"datacontenttype":"application/json; x"}`,
		`{"data_base64":"AA=="}`, `{"emit":["a",1,2]}`} {
		f.Add([]byte(text))
	}
	e, err := New(quiet())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, event []byte) { _ = e.Publish(event) })
}

// The same seed gives the first listener the same events, however late it comes.
func TestEventsBeginWithTheFirstListener(t *testing.T) {
	var first []string
	for _, late := range []time.Duration{0, 7 * time.Second} {
		opts := DefaultOptions()
		opts.Seed = 42
		inBubble(t, opts, func(b *bench) {
			time.Sleep(late)
			c := b.dial("/drogue/public-app")
			var got []string
			for range 5 {
				got = append(got, c.datum())
			}
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("after %s: %v, want %v", late, got, first)
			}
		})
	}
}

// A fault that no service of the emulator has is a mistake, not nothing.
func TestFaultsOfOtherServices(t *testing.T) {
	for _, test := range []struct {
		spec, want string
		services   []string
	}{
		{"ack-null", "fault ack-null: only octave has it", []string{Doshii}},
		{"drop token-expired=3", "fault token-expired: only drogue has it", []string{Doshii, Octave}},
		{" ", "no fault is named", nil},
		{"after=3", "no fault is named", nil},
		{"after=3 times=1", "no fault is named", nil},
		{"ack-null drop", "", []string{Doshii, Octave}},
		{"ack-null token-expired", "", nil},
	} {
		opts := quiet()
		opts.Faults = []string{test.spec}
		e, err := New(opts, test.services...)
		if err == nil {
			e.Close()
		}
		if got := fmt.Sprint(err); got != test.want && (test.want != "" || err != nil) {
			t.Errorf("%q for %v: %s, want %q", test.spec, test.services, got, test.want)
		}
	}
}
