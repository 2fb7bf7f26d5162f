package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/cursor"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// A trackedStream is a stream whose positions are numbers, and what has become of them.
type trackedStream struct {
	*Stream
	moved []int
}

func newTrackedStream() *trackedStream {
	s := &trackedStream{Stream: &Stream{
		Program: &program.Program{Say: console.NewPrinter(io.Discard)}, Flags: NewFlags(), tracking: &tracking{},
	}}
	s.tracking.order.Move = func(m cursor.Mark) { s.moved = append(s.moved, m.Position.(int)) }
	return s
}

func numbered(n int) *proto.Event {
	return &proto.Event{Seq: uint64(n), Message: proto.Message{Data: fmt.Appendf(nil, `{"id":"e%d"}`, n), Position: n, Time: time.Now()}}
}

func upTo(n int) (list []int) {
	for i := 1; i <= n; i++ {
		list = append(list, i)
	}
	return list
}

// Without a destination, an event is done when it is written.
func TestTrackedOutput(t *testing.T) {
	for _, tt := range []struct {
		name   string
		stdout io.Writer
		end    func(*proto.Event) error // at the third event
		done   int                      // before the flush
		flush  int                      // after it
	}{
		{"events", io.Discard, nil, 0, 5},
		{"a condition", io.Discard, func(*proto.Event) error { return output.Ended{Condition: "until"} }, 3, 3},
		{"a failed assertion", io.Discard, func(*proto.Event) error { return &output.Failed{} }, 3, 3},
		{"an error in an expression", io.Discard, func(*proto.Event) error { return &output.FilterError{Err: errors.New("no")} }, 0, 2},
		{"stdout cannot be written", fullWriter{}, nil, 0, 0},
	} {
		s := newTrackedStream()
		w := output.New(tt.stdout, output.Options{})
		sink := s.Tracked(t.Context(), &endingSink{w, tt.end})
		for n := 1; n <= 5; n++ {
			if err := sink.Event(numbered(n)); err != nil {
				break
			}
		}
		if !slices.Equal(s.moved, upTo(tt.done)) {
			t.Errorf("%s: moved over %v before the flush, want %d", tt.name, s.moved, tt.done)
		}
		if tt.name == "an error in an expression" {
			continue // after which nothing is flushed for good
		}
		_ = sink.Flush()
		if !slices.Equal(s.moved, upTo(tt.flush)) {
			t.Errorf("%s: moved over %v, want %d", tt.name, s.moved, tt.flush)
		}
	}
}

// An endingSink ends with the third event.
type endingSink struct {
	proto.Sink
	end func(*proto.Event) error
}

func (s *endingSink) Event(ev *proto.Event) error {
	if err := s.Sink.Event(ev); err != nil || s.end == nil || ev.Seq != 3 {
		return err
	}
	return s.end(ev)
}

// Many events in a row are written before the position moves over them.
func TestTrackedBurst(t *testing.T) {
	s := newTrackedStream()
	sink := s.Tracked(t.Context(), output.New(io.Discard, output.Options{}))
	for n := 1; n <= 2*maxUnwritten; n++ {
		if err := sink.Event(numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.moved) < maxUnwritten {
		t.Errorf("moved over %d of %d events", len(s.moved), 2*maxUnwritten)
	}
}

// What was done in an earlier process comes again at the beginning, and is left out.
func TestTrackedRepeats(t *testing.T) {
	s := newTrackedStream()
	s.tracking.ids = func(m proto.Message) string { id, _ := s.identify(m); return id }
	s.describe = func(m proto.Message) proto.Description { return proto.Description{ID: string(m.Data)} }
	s.tracking.repeats = map[string]bool{`{"id":"e1"}`: true, `{"id":"e2"}`: true}
	var kept keptEvents
	sink := s.Tracked(t.Context(), &kept)
	for _, n := range []int{1, 3, 1, 4, 5, 2, 6} {
		if err := sink.Event(numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	_ = sink.Flush()
	if want := []uint64{3, 1, 4, 5, 2, 6}; !slices.Equal(kept.seen, want) { // an id may be used again
		t.Errorf("printed %v, want %v", kept.seen, want)
	}
	if len(s.moved) != 7 {
		t.Errorf("moved over %v", s.moved)
	}
}

type keptEvents struct{ seen []uint64 }

func (r *keptEvents) Event(ev *proto.Event) error {
	r.seen = append(r.seen, ev.Seq)
	return nil
}

func (r *keptEvents) Flush() error { return nil }

// A slowDestination acknowledges a record each second, all but those it refuses.
type slowDestination struct {
	refused []string
	got     []string
}

func (d *slowDestination) InFlight() int { return 10 }
func (d *slowDestination) Close() error  { return nil }

func (d *slowDestination) Deliver(_ context.Context, records []destination.Record, results []error) {
	for i, r := range records {
		if i > 0 {
			results[i] = destination.ErrNotTried
			continue
		}
		time.Sleep(time.Second)
		if slices.Contains(d.refused, string(r.Data)) {
			results[i] = &destination.RefusedError{Err: errors.New("no")}
			continue
		}
		d.got = append(d.got, string(r.Data))
	}
}

// With --count, no more events are in flight than are missing, and dead letters do not
// count. The position moves over all that are done.
func TestTrackedCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrackedStream()
		s.Flags.count = 4
		d := &slowDestination{refused: []string{"2", "5"}}
		v := &delivering{s: s.Stream}
		v.delivery = destination.New(d, destination.Options{
			Done:       func(r destination.Record, acknowledged bool) { s.tracking.order.Done(r.Event, acknowledged) },
			DeadLetter: func(destination.Record, error) error { return nil },
		})
		s.delivering = v
		filter, err := jq.Compile("--jq", `.id[1:] | select(. != "3") | tonumber`, jq.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		sink := s.Tracked(t.Context(), &deliveringSink{v, output.New(&v.records, output.Options{Null: true, Filter: filter})})
		n := 0
		for err = nil; err == nil && n < 100; {
			n++
			err = sink.Event(numbered(n))
			if c := s.tracking.order.Counts(); c.Acknowledged+c.Open > 4 {
				t.Errorf("event %d: %+v", n, c)
			}
		}
		if end, ok := errors.AsType[output.Ended](err); !ok || end.Condition != "count" {
			t.Errorf("ended with %v", err)
		}
		if want := []string{"1", "4", "6", "7"}; !slices.Equal(d.got, want) || n != 7 {
			t.Errorf("delivered %v of %d, want %v", d.got, n, want)
		}
		if !slices.Equal(s.moved, upTo(7)) {
			t.Errorf("moved over %v", s.moved)
		}
		if err := v.delivery.Finish(0, nil); err != nil {
			t.Error(err)
		}
	})
}

// What a run had no time to fetch is not lost if the next one fetches it.
func TestPostponed(t *testing.T) {
	for name, tt := range map[string]struct {
		s    *Stream
		gap  proto.Gap
		want bool
	}{
		"with a position":    {&Stream{tracking: &tracking{keeper: &cursor.Keeper{}}}, proto.Gap{Unfilled: proto.EndedUnfilled}, true},
		"another reason":     {&Stream{tracking: &tracking{keeper: &cursor.Keeper{}}}, proto.Gap{Unfilled: "refused"}, false},
		"without a position": {&Stream{tracking: &tracking{}}, proto.Gap{Unfilled: proto.EndedUnfilled}, false},
		"not tracked":        {&Stream{}, proto.Gap{Unfilled: proto.EndedUnfilled}, false},
	} {
		if got := tt.s.postponed(tt.gap); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Credentials are withheld by their values, too, wherever a recipe has put them.
func TestKnownPosition(t *testing.T) {
	k := &knownPosition{secret: []string{"session"}, redact: func(s string) string { return strings.ReplaceAll(s, "canary", "***") }}
	for position, want := range map[string][]string{
		`{"session":"x","n":1}`:                       {"session"},
		`{"n":1,"b":{"c":["a canary"]},"a":"canary"}`: {"session", "a", "b"},
		`"canary"`: {"."},
		`17`:       {"session"},
		`null`:     {"session"},
	} {
		if got := k.Secret([]byte(position)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", position, got, want)
		}
	}
}
