package output

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// A Condition says when a stream has shown enough, or what it must not show. It
// looks at each event before the event is printed, and says afterwards whether the
// stream ends with it. The conditions of a Writer are asked in their order, so
// that by one event the first of them wins.
//
// A Condition is for one Writer. What it has seen is bounded in memory.
type Condition interface {
	// watches are the expressions that look at the value of an event.
	watches() []*watch
	// look looks at an event that is about to be printed.
	look(w *Writer, s *eventView) error
	// verdict is nil, or how the stream ends with this event.
	verdict(s *eventView) error
	// outcomes returns the results of the condition; any goroutine may call it.
	outcomes() []Outcome
}

// A eventView is one event as conditions see it.
type eventView struct {
	ev      *proto.Event
	early   *early         // nil if it was not postponed
	data    []byte         // what is printed for it when there is no filter
	rest    eventjson.Tail // of data, when the value is not looked at
	binary  bool
	native  bool  // data is in the Writer's jq.Set
	breaks  bool  // and a CR or LF occurs in it
	decoded bool  // value, unseen and kind are known
	value   any   // of data, when it is looked at
	unseen  error // why there is no value all the same
	kind    kind
	printed bool // the filter left something of it
}

// An Outcome is the result of one expression or count.
type Outcome struct {
	// Condition is its name: "count", "until", "fail-if", "expect".
	Condition string
	Expr      string // "" for count
	Want      uint64 // of count
	// Met: it came true.
	Met bool
	// Events is how many events it has looked at, or counted.
	Events uint64
	// After is the time from the start of the stream to the event that met it, and
	// Event an excerpt of that event.
	After time.Duration
	Event string
	// Near is the value that came nearest, when it is known what was missing.
	Near Near
}

// A Near is the value of a path that an expression depends on.
type Near struct {
	Path  string // ".data.temp"; "" when the reason is not known
	Value string // its value as JSON, possibly cut
	// Nearest: of all numbers seen it is the nearest to the one that was asked
	// for. Otherwise it is the last value.
	Nearest bool
}

// String returns "nearest .data.temp: 21.5", or "".
func (n Near) String() string {
	switch {
	case n.Path == "":
		return ""
	case n.Nearest:
		return "nearest " + n.Path + ": " + n.Value
	}
	return "last " + n.Path + ": " + n.Value
}

// Label is the condition as it was typed: --expect '.data.temp > 21'.
func (o Outcome) Label() string {
	if o.Condition == "count" {
		return fmt.Sprintf("--count %d", o.Want)
	}
	return "--" + o.Condition + " '" + console.Brief(o.Expr) + "'"
}

// Awaited reports whether the stream still waited for it.
func (o Outcome) Awaited() bool { return !o.Met && o.Condition != "fail-if" }

// Missing says in one line what is missing.
func (o Outcome) Missing() string {
	if o.Condition == "count" {
		return fmt.Sprintf("--count: %d of %s", o.Events, events(o.Want))
	}
	text := o.Label() + ": no match in " + events(o.Events)
	if n := o.Near.String(); n != "" {
		text += ", " + n
	}
	return text
}

func events(n uint64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// Count ends the stream when n events have been printed: events for which the
// filter left at least one line.
func Count(n uint64) Condition { return &count{want: n} }

type count struct {
	want    uint64
	printed atomic.Uint64
}

func (c *count) watches() []*watch              { return nil }
func (c *count) look(*Writer, *eventView) error { return nil }

func (c *count) verdict(s *eventView) error {
	if s.printed && c.printed.Add(1) == c.want {
		return Ended{Condition: "count"}
	}
	return nil
}

func (c *count) outcomes() []Outcome {
	n := c.printed.Load()
	return []Outcome{{Condition: "count", Want: c.want, Met: n >= c.want, Events: n}}
}

// CountAcknowledged is met when n events have been acknowledged. It does not end the
// stream: an event is acknowledged after it was printed.
func CountAcknowledged(n uint64, acknowledged func() uint64) Condition {
	return &countAcknowledged{n, acknowledged}
}

type countAcknowledged struct {
	want         uint64
	acknowledged func() uint64
}

func (c *countAcknowledged) watches() []*watch              { return nil }
func (c *countAcknowledged) look(*Writer, *eventView) error { return nil }
func (c *countAcknowledged) verdict(*eventView) error       { return nil }

func (c *countAcknowledged) outcomes() []Outcome {
	n := c.acknowledged()
	return []Outcome{{Condition: "count", Want: c.want, Met: n >= c.want, Events: n}}
}

// Until ends the stream with the first event for which f yields anything but false
// and null. It looks at the event itself, whatever the filter makes of it; the
// event is printed like any other.
func Until(f *jq.Filter) Condition { return &until{watching("until", f)} }

type until struct{ watch }

func (u *until) verdict(*eventView) error {
	if u.met {
		return Ended{Condition: u.name}
	}
	return nil
}

// FailIf makes the first event for which f yields anything but false and null the
// failure of the stream: a *Failed.
func FailIf(f *jq.Filter) Condition {
	return &failIf{watch{name: "fail-if", filter: f, needs: f.Needs()}}
}

type failIf struct{ watch }

func (f *failIf) verdict(s *eventView) error {
	if f.met {
		return &Failed{Condition: f.name, Expr: f.filter.String(), Event: s.ev.Seq, Excerpt: f.event}
	}
	return nil
}

// Expect ends the stream when each of the expressions has matched some event, in
// any order; one event may meet several.
func Expect(fs ...*jq.Filter) Condition {
	e := &expect{}
	for _, f := range fs {
		w := watching("expect", f)
		e.all = append(e.all, &w)
	}
	return e
}

type expect struct{ all []*watch }

func (e *expect) watches() []*watch { return e.all }

func (e *expect) look(w *Writer, s *eventView) error {
	for _, x := range e.all {
		if x.met {
			continue
		}
		if err := x.look(w, s); err != nil {
			return err
		}
	}
	return nil
}

func (e *expect) verdict(*eventView) error {
	for _, x := range e.all {
		if !x.met {
			return nil
		}
	}
	return Ended{Condition: "expect"}
}

func (e *expect) outcomes() []Outcome {
	var all []Outcome
	for _, x := range e.all {
		all = append(all, x.outcomes()...)
	}
	return all
}

// A watch waits for the first event that an expression matches.
type watch struct {
	name   string
	filter *jq.Filter
	reason *jq.Reason // nil when it cannot be known, or is not asked for
	needs  *eventjson.Selection
	run    *jq.Pipeline // nil before the first event
	met    bool

	// what evaluates filter and reason on the bytes of an event; nil when nothing can
	native       *jq.Native
	nativeReason *jq.NativeReason

	mu    sync.Mutex
	seen  uint64
	after time.Duration
	event string
	near  nearest
}

func watching(name string, f *jq.Filter) watch {
	reason := f.Reason()
	return watch{name: name, filter: f, reason: reason, needs: reason.Needs(f)}
}

func (x *watch) watches() []*watch { return []*watch{x} }

// addTo has x evaluated with the expressions of set, where that is possible.
func (x *watch) addTo(set *jq.Set) {
	if x.native = set.Add(x.filter); x.native != nil && x.reason != nil {
		x.nativeReason = set.AddReason(x.filter, x.reason)
	}
}

// matches reports whether the expression matches an event.
func (x *watch) matches(w *Writer, s *eventView) (bool, error) {
	if s.native && x.native != nil {
		if matched, ok := x.native.Matches(); ok {
			return matched, nil
		}
	}
	if w.decode(s); s.unseen != nil {
		return false, s.unseen
	}
	if x.run == nil {
		x.run = x.filter.Pipeline(w.opts.Context)
	}
	if len(s.data) > bufferSize {
		defer x.run.Forget()
	}
	return x.run.Matches(s.value)
}

// missed finds out why the expression did not match an event.
func (x *watch) missed(w *Writer, s *eventView) {
	if s.native && x.nativeReason != nil {
		if t, ok := x.nativeReason.Missed(); ok {
			x.near.native(t)
			return
		}
	}
	if w.decode(s); s.unseen == nil {
		x.near.decoded(x.reason.Missed(w.opts.Context, s.value), s.value)
	}
}

func (x *watch) look(w *Writer, s *eventView) error {
	matched, err := x.matches(w, s)
	var excerpt string
	switch {
	case err != nil:
		err = w.failure(x.filter, s.ev, err)
	case matched:
		excerpt = w.excerpt(s.data)
		x.warnOfTypes(w, s)
	case x.reason != nil:
		x.missed(w, s)
	}
	// What is above may take long or for ever, and must not keep outcomes waiting.
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen++
	if matched {
		x.met, x.event, x.after = true, excerpt, w.since(s.ev.Time)
	}
	x.near.note(w.opts.Redact)
	return err
}

// warnOfTypes says that the types of operands decided that an event matched, not their
// values.
func (x *watch) warnOfTypes(w *Writer, s *eventView) {
	if w.decode(s); s.unseen != nil {
		return
	}
	if why := x.filter.DecidedByTypes(w.opts.Context, s.value); why != "" {
		w.opts.Warn(fmt.Sprintf("--%s '%s' matched, but %s", x.name, console.Brief(x.filter.String()), why))
	}
}

func (x *watch) outcomes() []Outcome {
	x.mu.Lock()
	defer x.mu.Unlock()
	o := Outcome{
		Condition: x.name, Expr: x.filter.String(), Events: x.seen,
		Met: x.met, After: x.after, Event: x.event,
	}
	if !o.Met {
		o.Near = x.near.result()
	}
	return []Outcome{o}
}

// Failed says that the stream showed what it must not show.
type Failed struct {
	Condition string // "fail-if"
	Expr      string
	Event     uint64 // the number of the event in this run, from 1
	Excerpt   string // of that event
}

func (f *Failed) Error() string {
	return fmt.Sprintf("--%s '%s': event %d matched: %s", f.Condition, console.Brief(f.Expr), f.Event, console.Brief(strings.TrimSpace(f.Excerpt)))
}
