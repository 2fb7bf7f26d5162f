package proto

import (
	"errors"
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/sequence"
)

// An interruption is the time in which events may have been missed: from the end of the
// last stream that was ready until the next one is.
type interruption struct {
	from time.Time // when the last ready stream last received data; zero before the first
	by   error     // why it was interrupted

	// About the open connection.
	resumed bool // its service says that there is no gap
	filling bool // its session fills the gap
	gap     *Gap // until its outcome is known
}

// connected is called when a connection has been opened.
func (i *interruption) connected() { i.resumed, i.filling, i.gap = false, false, nil }

// fill is called when a stream is ready and its session fills the gap before it: the
// gap is reported when the result is known.
func (i *interruption) fill(now time.Time) {
	i.filling = true
	if !i.from.IsZero() {
		i.gap = &Gap{From: i.from, To: now, Reason: i.by.Error()}
	}
}

// ready returns the gap to report when the stream is reported ready.
func (i *interruption) ready(now time.Time) (gap Gap, ok bool) {
	if i.from.IsZero() || i.filling || i.resumed {
		return Gap{}, false
	}
	return Gap{From: i.from, To: now, Reason: i.by.Error()}, true
}

// outcome returns the gap that a session reports, if any.
func (i *interruption) outcome(g GapReport) (gap Gap, ok bool) {
	if g.From.IsZero() {
		if i.gap == nil {
			return Gap{}, false
		}
		gap = *i.gap
	} else {
		gap.From, gap.To = g.From, g.To
	}
	gap.Filled, gap.Unfilled = g.Filled, g.Reason
	return gap, true
}

// lost is called when a connection has ended whose stream was ready. A gap that was
// being filled stays open until the next connection reports it.
func (i *interruption) lost(at time.Time, by error) {
	if i.gap == nil {
		i.from, i.by = at, by
	}
}

// NotRunning is the reason of a gap between an earlier process and this one.
const NotRunning = "hark was not running"

var errNotRunning = errors.New(NotRunning)

// EndedUnfilled is why the events of a gap were not fetched: there was no more time.
const EndedUnfilled = "the run ended before it was filled"

// restarted is called at the beginning of a run that continues an earlier process, which
// has received everything up to a time. The clock may have been set back since.
func (i *interruption) restarted(at, now time.Time) {
	if at.After(now) {
		at = now
	}
	i.lost(at, errNotRunning)
}

// reportGaps reports gaps to the trace.
func (l *connLoop) reportGaps(gaps []GapReport, now time.Time) {
	for _, g := range gaps {
		if gap, ok := l.missed.outcome(g); ok {
			l.report(now, l.address, gap)
		}
	}
	l.missed.gap = nil
}

// unfilled reports a gap that was being filled when the run was stopped. If the sink
// has ended the run, it is not reported: no more events are expected.
func (l *connLoop) unfilled() {
	if l.missed.gap == nil {
		return
	}
	select {
	case <-l.sinkDone:
	default:
		l.reportGaps([]GapReport{{Reason: EndedUnfilled}}, time.Now())
	}
}

// numbers follow the numbers of the events of a run: they show what is missing, within a
// connection and over a reconnect, where nothing else would.
type numbers struct {
	tracker sequence.Tracker
	report  func(now time.Time, s State)
	warn    func(text string)

	from   time.Time // when the last connection was lost, if its stream was ready
	reason string    // of that
	gap    *Gap      // of the last reconnect, until the numbers show what was missed
	found  bool      // and they have shown that something was, or is not known

	begun  time.Time // of the time in which single was reported
	single int       // findings that were reported one by one
	sum    OutOfSequenceSum
	warned bool
}

// A finding each is reported for the first maxFindings in findingInterval; the others
// are reported together, at its end.
const (
	maxFindings     = 100
	findingInterval = 10 * time.Second
)

// add takes the numbers of events, in their order.
func (n *numbers) add(list []sequence.Number, now time.Time) {
	for _, number := range list {
		f := n.tracker.Next(number, now)
		if n.tracker.Forgotten() > 0 && !n.warned {
			n.warned = true
			n.warn(fmt.Sprintf("there are more than %d sequences: those without an event for the longest time are not followed any more", sequence.Max))
		}
		switch {
		case f.Across:
			n.across(f, now)
		case f.Kind != sequence.InOrder:
			n.find(OutOfSequence{f}, f, now)
		}
	}
}

// across takes the first number of a sequence after a reconnect.
func (n *numbers) across(f sequence.Finding, now time.Time) {
	if f.Kind != sequence.InOrder {
		n.found = true
		g := Gap{From: f.Since, To: now, Reason: "the connection was lost"}
		if n.gap != nil {
			g = *n.gap
		} else if !n.from.IsZero() {
			g.From, g.Reason = n.from, n.reason
		}
		g.Hole = f
		if f.Kind == sequence.Hole {
			g.Counted, g.Missing = true, f.Missing
		} else { // it was sent again, or the numbers have begun anew
			g.Unfilled = fmt.Sprintf("the sequence goes from %d back to %d", f.After, f.Number)
		}
		n.find(g, f, now)
	}
	if n.gap != nil && n.tracker.Awaited() == 0 {
		n.decide(f, now)
	}
}

// await reports whether the numbers of the next events will show what was missed in a
// gap, which is not to be reported then.
func (n *numbers) await(gap Gap, now time.Time) bool {
	if n.tracker.Sequences() == 0 {
		return false
	}
	if n.gap != nil { // and there was none on the connection between
		gap.From = n.gap.From
	}
	n.gap = &gap
	if n.tracker.Awaited() == 0 {
		n.decide(sequence.Finding{}, now)
	}
	return true
}

// decide is called when every sequence has gone on after a reconnect. f is the last one.
func (n *numbers) decide(f sequence.Finding, now time.Time) {
	g := *n.gap
	n.gap = nil
	if n.found {
		return // which has been reported
	}
	if gone := n.tracker.Forgotten(); gone > 0 {
		g.Unfilled = fmt.Sprintf("%d sequences go on without a hole, and %d are not followed any more", n.tracker.Sequences(), gone)
	} else {
		g.Filled, g.Counted = true, true
		if n.tracker.Sequences() == 1 {
			g.Hole = f
		}
	}
	n.report(now, g)
}

// undecided reports a gap of which the numbers have not shown everything.
func (n *numbers) undecided(now time.Time) {
	g := *n.gap
	n.gap = nil
	g.Unfilled = "no event with a number has arrived since"
	if of := n.tracker.Sequences(); n.tracker.Awaited() < of {
		g.Unfilled = fmt.Sprintf("%d of %d sequences have not gone on since", n.tracker.Awaited(), of)
	}
	n.report(now, g)
}

// lost is called when a connection has ended. from is since when events may be missing,
// or zero.
func (n *numbers) lost(from time.Time, by error, now time.Time) {
	n.flush(now)
	if n.gap != nil && n.tracker.Awaited() < n.tracker.Sequences() {
		n.undecided(now)
	}
	if n.gap == nil {
		n.found, n.from = false, from
		if n.reason = ""; by != nil {
			n.reason = by.Error()
		}
	}
	n.tracker.Interrupt()
}

// end is called at the end of the run; complete: no more events were expected.
func (n *numbers) end(now time.Time, complete bool) {
	n.flush(now)
	if n.gap != nil && !(complete && n.tracker.Awaited() == n.tracker.Sequences()) {
		n.undecided(now)
	}
}

// find reports a finding, now or together with others.
func (n *numbers) find(s State, f sequence.Finding, now time.Time) {
	if now.Sub(n.begun) >= findingInterval {
		n.flush(now)
		n.begun, n.single = now, 0
	}
	if n.single < maxFindings {
		n.single++
		n.report(now, s)
		return
	}
	if n.sum == (OutOfSequenceSum{}) {
		n.sum.From = now
	}
	n.sum.To = now
	n.sum.Missing += f.Missing
	switch f.Kind {
	case sequence.Hole:
		n.sum.Holes++
	case sequence.Late:
		n.sum.Late++
	case sequence.Repeat:
		n.sum.Repeats++
	case sequence.StepBack:
		n.sum.StepsBack++
	}
}

// due returns when tick is to be called next; the zero time for never.
func (n *numbers) due() time.Time {
	if n.sum == (OutOfSequenceSum{}) {
		return time.Time{}
	}
	return n.begun.Add(findingInterval)
}

// tick reports the findings that were not reported one by one, when that is due.
func (n *numbers) tick(now time.Time) {
	if at := n.due(); !at.IsZero() && !now.Before(at) {
		n.flush(now)
	}
}

func (n *numbers) flush(now time.Time) {
	if n.sum != (OutOfSequenceSum{}) {
		n.report(now, n.sum)
		n.sum = OutOfSequenceSum{}
	}
}

// number takes the number of an event, if it has one.
func (r *runner) number(m Message) {
	if r.o.Number == nil {
		return
	}
	if n, ok := r.o.Number(m); ok {
		r.numbers.add([]sequence.Number{n}, m.Time)
	}
}

// follow takes the numbers of events that were not received from a connection.
func (r *runner) follow(b *wsconn.Batch) {
	if r.o.Number == nil {
		return
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		r.number(Message{Data: b.Payload(e), Binary: e.Op == frame.OpBinary, Time: e.Time})
	}
}
