package octave

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// Detection of events that a fill cannot fetch.

// examine looks for signs that events were evicted before they could be fetched.
func (f *fill) examine(s *fetch, page []eventInfo, now time.Time) {
	oldest := now.UnixMilli()
	if len(page) > 0 {
		oldest = page[0].created
	}
	if s.asked {
		// The last event of the page before is returned again, unless it has been
		// evicted.
		if len(page) > 0 && s.start == 0 && oldest > s.from {
			s.evicts = true
			f.cursor.lost = append(f.cursor.lost, f.cursor.evicted(s.progress, s.from, oldest))
		}
		return
	}
	s.final = !s.askedAt.Before(f.live.Add(f.delay))
	if !s.verifying {
		s.stored, s.evicts = 0, false
	}
	if s.since != 0 && len(page) > 0 && oldest > s.since {
		// Events shown late may have been evicted together with others.
		first := s.firstSeen(max(s.since, s.oldest))
		gone := first != 0 && first < oldest
		s.evicts = s.evicts || gone
		switch {
		case gone && s.late != nil:
			s.late.to = oldest
		case gone || !s.verifying:
			s.late = &doubt{from: s.since, to: oldest}
		}
	}
	if len(page) > 0 {
		s.oldest = oldest
	}
	if s.doubt == nil {
		if s.verifying {
			return
		}
		s.doubt = &doubt{from: s.mark, timed: s.timed}
	}
	d := s.doubt
	if oldest <= d.from || slices.ContainsFunc(page, func(e eventInfo) bool {
		return e.created <= d.from && f.cursor.has(s.progress, &e)
	}) {
		s.doubt = nil
		return
	}
	if !s.verifying || d.to == 0 {
		d.to = oldest
	}
	// An empty first page proves nothing: all stored events may be shown late.
	d.gone = d.gone || !d.timed && (len(page) > 0 || s.final)
}

// finish is called when a stream has been fetched completely.
func (f *fill) finish(s *fetch) {
	s.done, s.verified = true, s.final
	if s.verified {
		s.unverified = 0
	} else {
		// Events that the queries missed are not older than that: the first query was
		// made at the date of its last event at the earliest.
		s.unverified = max(s.unverified, s.reached-(f.delay+f.cursor.overlap).Milliseconds())
	}
	for i := range s.pushes {
		if s.pushes[i].created > s.last {
			s.stored++
		}
	}
	f.settle(s)
}

// settle resolves doubts after a query. A stream of known capacity has evicted events
// only if it was full, which may not be known before all events are shown.
func (f *fill) settle(s *fetch) {
	full := s.evicts || s.stored >= s.capacity
	if s.capacity < 0 {
		full = s.evicts || s.stored >= wire.CapacityDefault
	}
	gone := s.doubt != nil && s.doubt.gone && s.capacity < 0
	if full || gone {
		var from, to int64
		for _, d := range s.doubts() {
			if from == 0 || d.from < from {
				from = d.from
			}
			to = max(to, d.to)
		}
		if to != 0 {
			f.cursor.lost = append(f.cursor.lost, f.cursor.evicted(s.progress, from, to))
		}
	}
	if full || gone || s.verified {
		s.late, s.doubt = nil, nil
	}
}

// doubts returns the unresolved doubts.
func (s *fetch) doubts() []*doubt {
	return slices.DeleteFunc([]*doubt{s.late, s.doubt}, func(d *doubt) bool { return d == nil })
}

// verify begins the query for events shown late.
func (f *fill) verify(s *fetch) {
	s.verifying, s.retries, s.since = true, 0, s.unverified
	s.from, s.start, s.last, s.tail, s.asked = s.unverified, 0, 0, nil, false
}

// verdict is called when all events from before the subscription have been shown.
func (f *fill) verdict(s *fetch) {
	f.cursor.recheck(s.progress)
	s.verified, s.unverified = true, 0
	f.settle(s)
}

// recheck reports a gap if so many events have arrived that older ones are forgotten:
// stored events can then no longer be distinguished from returned ones.
func (c *cursor) recheck(m *progress) {
	if m.unverified == 0 || m.forgotten < m.unverified {
		return
	}
	c.lost = append(c.lost, proto.GapReport{
		From: c.begun(m.unverified), To: c.local(m.forgotten),
		Reason: m.name + ": more events came than can be compared with those that were stored late",
	})
	m.unverified = m.forgotten + 1
}

// evicted reports events that are no longer stored.
func (c *cursor) evicted(m *progress, from, to int64) proto.GapReport {
	return proto.GapReport{
		From: c.begun(from), To: c.local(max(from, to)),
		Reason: fmt.Sprintf("%s keeps %s, and older ones are gone", m.name, events(m.capacity)),
	}
}

// events returns a number of events in words.
func events(n int) string {
	switch n {
	case -1:
		return "a limited number of events"
	case 1:
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// fail handles the failure of a query: it is retried a few times, then the stream is
// given up.
func (f *fill) fail(s *fetch, err error, now time.Time) {
	he, _ := errors.AsType[*proto.HandshakeError](err)
	_, nonsense := errors.AsType[*proto.ProtocolError](err)
	final := he != nil && (nonsense ||
		he.Status >= 400 && he.Status < 500 && he.Status != http.StatusTooManyRequests && he.Status != http.StatusRequestTimeout)
	wait := 500 * time.Millisecond << min(s.retries, 3)
	if he != nil {
		wait = max(wait, he.RetryAfter)
	}
	if s.retries == 0 {
		s.until = now.Add(patience)
	}
	if final || now.Add(wait).After(s.until) {
		f.giveUp(s, fmt.Sprintf("%s: %v", s.name, err), now)
		return
	}
	s.retries++
	s.retryAt = now.Add(wait)
}

// giveUp ends the fill of a stream. Pushed events no longer wait.
func (f *fill) giveUp(s *fetch, reason string, now time.Time) {
	gap := proto.GapReport{Reason: reason}
	from := int64(0) // the stream's own time is known better than that of the connection
	switch {
	case s.verifying:
		from = s.unverified
	case f.cursor.initial || s.asked:
		from = max(s.mark, s.last)
	}
	if from != 0 {
		for _, d := range s.doubts() { // they stay unresolved
			from = min(from, d.from)
		}
		gap.From, gap.To = f.cursor.begun(from), now
	}
	f.cursor.lost = append(f.cursor.lost, gap)
	s.doubt, s.late = nil, nil
	s.done, s.failed, s.verified, s.unverified = true, true, true, 0
	f.out = append(append(f.out, s.page...), s.pushes...)
	f.unhold(s.pushes)
	s.page, s.pushes = nil, nil
}

// gaps returns the reports at the end, one for each time.
func (f *fill) gaps() []proto.GapReport {
	const most = 3
	var gaps []proto.GapReport
	var reasons []int
	if f.cursor.more {
		f.cursor.lost = append(f.cursor.lost, proto.GapReport{Reason: "streams that were subscribed to at the prompt are not looked back at"})
	}
	for _, g := range f.cursor.lost {
		i := slices.IndexFunc(gaps, func(h proto.GapReport) bool { return h.From.Equal(g.From) && h.To.Equal(g.To) })
		switch {
		case i < 0:
			gaps, reasons = append(gaps, g), append(reasons, 1)
			continue
		case reasons[i] < most:
			gaps[i].Reason += "; " + g.Reason
		}
		reasons[i]++
	}
	for i, n := range reasons {
		if n > most {
			gaps[i].Reason += fmt.Sprintf("; and %d more streams", n-most)
		}
	}
	f.cursor.lost, f.cursor.initial = nil, false
	if len(gaps) == 0 {
		return []proto.GapReport{{Filled: true}}
	}
	return gaps
}
