package proto

import "time"

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
		l.reportGaps([]GapReport{{Reason: "the run ended before it was filled"}}, time.Now())
	}
}
