package emulator_test

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

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// Events of a service can be published again, in short forms too.
func TestPublish(t *testing.T) {
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		octaves := b.Dial(session(b))
		octaves.Send(frame.OpText, subscribeTo(octave.DemoStream))
		octaves.WantText(octaveOK)
		drogues := b.Dial("/drogue/demo-app", basic(drogue.User, drogue.AccessToken))
		doshiis := b.Dial(appPath(wire.PathApp))
		pos := b.Dial("/doshii/pos/socket?token=" + doshii.LocationToken)
		for _, test := range []struct {
			event string
			c     *emulatortest.Client
			want  []string
		}{
			{`{"elems":{"n":1}}`, octaves, []string{`"elems":{"n":1}`, `"path":"/demo/stream"`}},
			{`{"type":"message","resource":"x","value":{"path":"/demo/stream","elems":{"n":2},"hash":"h"}}`, octaves, []string{`"elems":{"n":2}`, `"hash":"h"`}},
			{`{"specversion":"1.0","data":{"n": 3}}`, drogues, []string{`"data":{"n":3}`, `"application":"demo-app"`, `"type":"io.drogue.event.v1"`}},
			{`{"id":"i-4","subject":"c","device":"d","sender":"g","datacontenttype":"text/plain","data":"x","hwaddr":"h"}`, drogues,
				[]string{`"id":"i-4"`, `"subject":"c"`, `"device":"d"`, `"sender":"g"`, `"datacontenttype":"text/plain"`, `"data":"x"`, `"hwaddr":"h"`, `"partitionkey":"demo%2Dapp/g"`}},
			{`{"type":"io.drogue.connection.v1","data_base64":"AQL/"}`, drogues, []string{`"type":"io.drogue.connection.v1"`, `"data_base64":"AQL/"`}},
			{`{"emit":["order_created",{"id":"1","data":1}]}`, doshiis, []string{`{"emit":["order_created",{"id":"1","data":1}]}`}},
			{`{"emit":["order_created",{"id":"2"}],"pos":true}`, pos, []string{`{"emit":["order_created",{"id":"2"}]}`}},
		} {
			if err := b.E.Publish([]byte(test.event)); err != nil {
				t.Errorf("%s: %v", test.event, err)
				continue
			}
			got := test.c.Text()
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("%s became %s, without %s", test.event, got, part)
				}
			}
			// And once more unchanged.
			if err := b.E.Publish([]byte(got)); test.c != pos && err != nil {
				t.Errorf("%s: %v", got, err)
			} else if test.c != pos {
				test.c.Text()
			}
		}
		if err := b.E.Publish([]byte(`{"path":"/demo/new/one","elems":{}}`)); err != nil {
			t.Errorf("a stream that is not there: %v", err)
		}
		if status, body := b.Do("GET", "/octave/v5.0/demo/event?path=/demo/new/one", "", masterHeaders()...); status != 200 {
			t.Errorf("the events of a stream that was not there: %d %s", status, body)
		}
		for _, bad := range []string{
			``, `1`, `{}`, `{"elems":1}`, `{"value":{}}`, `{"path":"x","elems":{}}`, `{"streamId":"s1","elems":{}}`,
			`{"data":1,"application":"x"}`, `{"data_base64":"*"}`, `{"data":1,"datacontenttype":"text/plain"}`, `{"data":1,"subject":1}`,
			`{"emit":[]}`, `{"emit":1}`,
		} {
			if err := b.E.Publish([]byte(bad)); err == nil {
				t.Errorf("%s was taken", bad)
			}
		}
	})
}

// Events over HTTP, without credentials.
func TestServeEvents(t *testing.T) {
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		c := b.Dial(appPath(wire.PathApp))
		if status, body := b.Do("POST", emulator.EventsPath, "{\"emit\":[\"a\",{}]}\n\n{\"emit\":[\"b\",{}]}\n"); status != 204 {
			t.Errorf("%d %s", status, body)
		}
		c.WantText(`{"emit":["a",{}]}`)
		c.WantText(`{"emit":["b",{}]}`)
		if status, body := b.Do("POST", emulator.EventsPath, "{\"emit\":[\"a\",{}]}\nx\n"); status != 400 || !strings.HasPrefix(string(body), "line 2: ") {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := b.Do("GET", emulator.EventsPath, ""); status != 405 {
			t.Errorf("GET: %d", status)
		}
	})
}

// Lines wait for the first listener, then are sent at the rate.
func TestFeed(t *testing.T) {
	const lines = "{\"emit\":[\"a\",{}]}\n{\"emit\":[\"b\",{}]}\n\n{\"emit\":[\"c\",{}]}"
	none := func(line int, err error) { t.Errorf("line %d: %v", line, err) }
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		done := make(chan error, 1)
		go func() { done <- b.E.Feed(b.T.Context(), strings.NewReader(lines), 2, none) }()
		time.Sleep(time.Minute)
		start := time.Now()
		c := b.Dial(appPath(wire.PathApp))
		for _, name := range []string{"a", "b", "c"} {
			c.WantText(`{"emit":["` + name + `",{}]}`)
		}
		if d := time.Since(start); d != 1500*time.Millisecond {
			t.Errorf("three events at 2 per second took %v", d)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		// A line that is not an event is skipped, and the others are sent.
		var bad []int
		err := b.E.Feed(b.T.Context(), strings.NewReader("{\"emit\":[\"d\",{}]}\n{}\nx\n{\"emit\":[\"e\",{}]}"), 0, func(line int, err error) {
			if bad = append(bad, line); err == nil {
				t.Errorf("line %d: no reason", line)
			}
		})
		if err != nil || !slices.Equal(bad, []int{2, 3}) {
			t.Errorf("bad lines %v, %v", bad, err)
		}
		c.WantText(`{"emit":["d",{}]}`)
		c.WantText(`{"emit":["e",{}]}`)
		broken := errors.New("disk on fire")
		if err := b.E.Feed(b.T.Context(), iotest.ErrReader(broken), 0, none); !errors.Is(err, broken) {
			t.Errorf("a reader that fails: %v", err)
		}
		ctx, cancel := context.WithCancelCause(b.T.Context())
		stop := errors.New("stop")
		cancel(stop)
		if err := b.E.Feed(ctx, strings.NewReader(lines), 1, none); !errors.Is(err, stop) {
			t.Errorf("after the end of its context: %v", err)
		}
	})
	inBubble(t, quiet(), func(b *emulatortest.Bench) {
		done := make(chan error, 1)
		go func() { done <- b.E.Feed(b.T.Context(), strings.NewReader(lines), 1, none) }()
		synctest.Wait()
		if err := b.E.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("closed before anybody listened: %v", err)
		}
	})
}

// No published text makes the emulator fail.
func FuzzPublish(f *testing.F) {
	for _, text := range []string{`{"elems":{}}`, `{"value":{"path":"/a","elems":{"a":1}}}`, `{"data":1,"datacontenttype":"application/json; x"}`,
		`{"data_base64":"AA=="}`, `{"emit":["a",1,2]}`} {
		f.Add([]byte(text))
	}
	e, err := newEvery(quiet())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, event []byte) { _ = e.Publish(event) })
}

// The same seed gives the first listener the same events, whenever it connects.
func TestEventsBeginWithTheFirstListener(t *testing.T) {
	var first []string
	for _, late := range []time.Duration{0, 7 * time.Second} {
		opts := everyOptions()
		opts.Seed = 42
		inBubble(t, opts, func(b *emulatortest.Bench) {
			time.Sleep(late)
			c := b.Dial("/drogue/public-app")
			var got []string
			for range 5 {
				got = append(got, c.Datum())
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

// A fault that no service of the emulator has is an error.
func TestFaultsOfOtherServices(t *testing.T) {
	for _, test := range []struct {
		spec, want string
		services   []string
	}{
		{"ack-null", "fault ack-null: for octave only", []string{"doshii"}},
		{"drop token-expired=3", "fault token-expired: for drogue only", []string{"doshii", "octave"}},
		{" ", "missing fault", nil},
		{"after=3", "missing fault", nil},
		{"after=3 times=1", "missing fault", nil},
		{"ack-null drop", "", []string{"doshii", "octave"}},
		{"ack-null token-expired", "", nil},
	} {
		opts := quiet()
		opts.Faults = []string{test.spec}
		e, err := newEvery(opts, test.services...)
		if err == nil {
			e.Close()
		}
		if got := fmt.Sprint(err); got != test.want && (test.want != "" || err != nil) {
			t.Errorf("%q for %v: %s, want %q", test.spec, test.services, got, test.want)
		}
	}
}
