package proto

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// What a fill cannot fetch, and how it finds out.

// examine looks for signs that events were evicted before they could be fetched.
func (f *octaveFill) examine(s *octaveFetch, page []octaveEvent, now time.Time) {
	oldest := now.UnixMilli()
	if len(page) > 0 {
		oldest = page[0].created
	}
	if s.verifying && !s.asked {
		return
	}
	if s.asked {
		// The last event of the page before comes again, unless it is gone.
		if len(page) > 0 && s.start == 0 && oldest > s.from {
			f.cursor.lost = append(f.cursor.lost, f.cursor.evicted(s.octaveMark, s.from, oldest))
		}
		return
	}
	if s.oldest != 0 && oldest > s.oldest {
		// What was shown late since then may have been evicted with it.
		f.cursor.lost = append(f.cursor.lost, f.cursor.evicted(s.octaveMark, s.from, oldest))
	}
	known := slices.ContainsFunc(page, func(e octaveEvent) bool {
		return e.created <= s.mark && f.cursor.has(s.octaveMark, &e)
	})
	switch {
	case known:
	case s.doubt == nil:
		s.doubt = &octaveDoubt{from: s.mark, to: oldest, gone: !s.timed}
	default: // left over from a connection that ended too early
		s.doubt.to = oldest
	}
}

// finish is called when all of a stream was fetched.
func (f *octaveFill) finish(s *octaveFetch) {
	s.done = true
	s.verified = !s.askedAt.Before(f.live.Add(f.delay))
	if s.verified {
		s.unverified = 0
	} else {
		// Whatever the last query missed is no older than that: it was made at the
		// date of the last event at the earliest.
		s.unverified = max(s.unverified, s.last-(f.delay+f.cursor.overlap).Milliseconds())
	}
	if s.doubt == nil {
		return
	}
	full := s.doubt.stored >= s.capacity
	if s.capacity < 0 {
		full = s.doubt.gone || s.doubt.stored >= wire.OctaveCapacityDefault
	}
	if full {
		f.cursor.lost = append(f.cursor.lost, f.cursor.evicted(s.octaveMark, s.doubt.from, s.doubt.to))
	}
	s.doubt = nil
}

// verify begins the query for what was shown late.
func (f *octaveFill) verify(s *octaveFetch) {
	s.verifying, s.retries = true, 0
	s.from, s.start, s.last, s.tail, s.asked = s.unverified, 0, 0, nil, false
}

// verdict is called when the stream has shown everything from before the
// subscription.
func (f *octaveFill) verdict(s *octaveFetch) {
	f.cursor.recheck(s.octaveMark)
	s.verified, s.unverified = true, 0
}

// recheck reports when so many events came since that the older ones are forgotten:
// stored ones can no longer be told from those that were given out.
func (c *OctaveCursor) recheck(m *octaveMark) {
	if m.unverified == 0 || m.forgotten < m.unverified {
		return
	}
	c.lost = append(c.lost, GapReport{
		From: c.begun(m.unverified), To: c.local(m.forgotten),
		Reason: m.name + ": more events came than can be compared with those that were stored late",
	})
	m.unverified = m.forgotten + 1
}

// evicted reports what is no longer stored.
func (c *OctaveCursor) evicted(m *octaveMark, from, to int64) GapReport {
	return GapReport{
		From: c.begun(from), To: c.local(max(from, to)),
		Reason: fmt.Sprintf("%s keeps %s, and older ones are gone", m.name, events(m.capacity)),
	}
}

// events counts.
func events(n int) string {
	switch n {
	case -1:
		return "a limited number of events"
	case 1:
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// fail takes the failure of a query: it is tried again a few times, or the stream
// is given up.
func (f *octaveFill) fail(s *octaveFetch, err error, now time.Time) {
	he, _ := errors.AsType[*HandshakeError](err)
	final := he != nil && (is[*ProtocolError](he.Err) ||
		he.Status >= 400 && he.Status < 500 && he.Status != http.StatusTooManyRequests && he.Status != http.StatusRequestTimeout)
	wait := 500 * time.Millisecond << min(s.retries, 3)
	if he != nil {
		wait = max(wait, he.RetryAfter)
	}
	if s.retries == 0 {
		s.until = now.Add(octavePatience)
	}
	if final || now.Add(wait).After(s.until) {
		f.giveUp(s, fmt.Sprintf("%s: %v", s.name, err), now)
		return
	}
	s.retries++
	s.retryAt = now.Add(wait)
}

// giveUp ends the work on a stream. What was pushed meanwhile has nothing to wait
// for any more.
func (f *octaveFill) giveUp(s *octaveFetch, reason string, now time.Time) {
	gap := GapReport{Reason: reason}
	switch { // the stream's own time is known better
	case s.verifying:
		gap.From, gap.To = f.cursor.begun(s.unverified), now
	case f.cursor.initial || s.asked:
		gap.From, gap.To = f.cursor.begun(max(s.mark, s.last)), now
	}
	f.cursor.lost = append(f.cursor.lost, gap)
	s.doubt = nil
	s.done, s.failed, s.verified, s.unverified = true, true, true, 0
	f.out = append(append(f.out, s.page...), s.pushes...)
	f.unhold(s.pushes)
	s.page, s.pushes = nil, nil
}

// gaps are the reports at the end, one for each time.
func (f *octaveFill) gaps() []GapReport {
	const most = 3
	var gaps []GapReport
	var reasons []int
	if f.cursor.more {
		f.cursor.lost = append(f.cursor.lost, GapReport{Reason: "streams that were subscribed to at the prompt are not looked back at"})
	}
	for _, g := range f.cursor.lost {
		i := slices.IndexFunc(gaps, func(h GapReport) bool { return h.From.Equal(g.From) && h.To.Equal(g.To) })
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
		return []GapReport{{Filled: true}}
	}
	return gaps
}
