package proto

import "time"

// An interruption is the time in which events may have been missed: from the end of the
// last stream that was ready until the next one is.
type interruption struct {
	from time.Time // when the last stream that was ready was last heard; zero before the first
	by   error     // what happened to it

	// Of the connection that is open.
	resumed bool // its service says that there is no gap
	filling bool // its session fills the gap
	gap     *Gap // until its outcome is known
}

// connected is called when a connection is open.
func (i *interruption) connected() { i.resumed, i.filling, i.gap = false, false, nil }

// fill is called when a stream is ready whose session fills the gap before it: the
// report waits for the outcome.
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

// outcome returns the gap that a session reports, if there is one.
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
// being filled goes on, and the next connection reports it.
func (i *interruption) lost(at time.Time, by error) {
	if i.gap == nil {
		i.from, i.by = at, by
	}
}

// reportGaps passes on what has become of gaps.
func (l *connLoop) reportGaps(gaps []GapReport, now time.Time) {
	for _, g := range gaps {
		if gap, ok := l.missed.outcome(g); ok {
			l.report(now, l.address, gap)
		}
	}
	l.missed.gap = nil
}

// unfilled reports a gap that was being filled when the run was stopped. When the sink
// has ended the run, nobody wants more.
func (l *connLoop) unfilled() {
	if l.missed.gap == nil {
		return
	}
	select {
	case <-l.sinkDone:
	default:
		l.reportGaps([]GapReport{{Reason: "the run ended before it was filled"}}, time.Now())
	}
}
