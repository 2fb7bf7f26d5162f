package octave

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
)

const (
	// holdLimit is how many bytes of pushed events are buffered while stored events are
	// fetched. Further events are dropped, and fetched as well.
	holdLimit = 16 << 20
	// patience is how long a failed query is retried, while live events wait.
	patience = 6 * time.Second
	// pageBudget is how many events are requested at once, in all streams.
	pageBudget = 20_000
)

// A fill fetches the events stored since the marks of a cursor and merges them with
// those pushed meanwhile, by creationDate, in all streams together. It uses neither
// network nor clock:
//
//	queries → (someone asks the service) → page or fail → take
//
// The subscriptions are live before the first query, so the stored and the pushed
// events overlap without a gap, and the cursor removes duplicates.
//
// The REST interface may show an event late. So each stream is queried once more when
// the subscriptions have been live for the delay, when all earlier events are shown.
// Until then no gap is known to be filled; pushed events do not wait for it.
type fill struct {
	cursor  *cursor
	delay   time.Duration
	live    time.Time // when the subscriptions were acknowledged
	streams []*fetch
	limit   int        // of a page
	held    int        // bytes
	out     []outEvent // events that need not wait to be ordered
}

// A fetch is the state of a fill for one stream.
type fetch struct {
	*progress
	from  int64 // of the next query
	start int
	last  int64 // creationDate of the last fetched event
	// tail are the fetched events of that date: pages overlap.
	tail    map[eventKey]bool
	page    []outEvent // fetched, not yet given out
	pushes  []outEvent // buffered
	covered int64      // creationDate of the first of them: later ones are pushed
	owed    int64      // creationDate of the last one that was dropped
	again   bool       // and that was after the last query
	asked   bool       // the first page has been received
	reached int64      // creationDate of the last event of it; 0 for none
	final   bool       // it was requested when all events were shown
	done    bool
	failed  bool      // so pushed events are not buffered
	askedAt time.Time // the last query
	// verifying: the query for events shown late has begun; verified: it has finished,
	// or is not required.
	verifying, verified bool
	// since is the creationDate from which events of earlier queries may have been
	// shown late; 0 for none. late is the doubt about them.
	since   int64
	late    *doubt
	stored  int  // events that were stored at the first query, as far as is known
	evicts  bool // one that was given out is not stored any more, although younger ones are
	retryAt time.Time
	retries int
	until   time.Time // of the retries
}

// An outEvent is an event that waits to be returned.
type outEvent struct {
	eventInfo
	of      *progress
	message proto.Message // of a push; otherwise the event was fetched
}

func newFill(c *cursor, delay time.Duration) *fill {
	f := &fill{cursor: c, delay: delay}
	for _, m := range c.streams {
		if m.alias || m.ended {
			continue
		}
		c.recheck(m)
		s := &fetch{progress: m, from: m.from(c.overlap), since: m.unverified}
		if delay > 0 {
			m.unverified = s.from
		}
		f.streams = append(f.streams, s)
	}
	if c.fill != nil {
		f.inherit(c.fill)
	}
	f.limit = min(max(pageBudget/max(len(f.streams), 1), 100), 1000)
	return f
}

// inherit takes over the events that were buffered when the last connection ended: they
// follow those fetched now.
func (f *fill) inherit(last *fill) {
	for _, s := range f.streams {
		for _, old := range last.streams {
			if old.progress == s.progress {
				s.pushes, s.owed = old.pushes, old.owed
			}
		}
	}
	f.held = last.held
}

// hold buffers a pushed event, and returns false if there is no reason to.
func (f *fill) hold(m *progress, message proto.Message) bool {
	i := slices.IndexFunc(f.streams, func(s *fetch) bool { return s.progress == m })
	if i < 0 || f.streams[i].failed || f.merged() {
		return false
	}
	s := f.streams[i]
	if f.held+len(message.Data) > holdLimit {
		_, e, _ := readPush(message.Data)
		s.owed, s.again = max(s.owed, e.created), true
		s.done, s.covered = false, 0
		return true
	}
	message.Data = bytes.Clone(message.Data)
	_, e, _ := readPush(message.Data)
	if s.covered == 0 {
		s.covered = e.created
	}
	f.held += len(message.Data)
	s.pushes = append(s.pushes, outEvent{e, m, message})
	return true
}

// queries returns the pages to request now, at most one per stream, and when there will
// be more to do. The next page of a stream is requested when the last one has been
// returned.
func (f *fill) queries(now time.Time) (ask []*fetch, next time.Time) {
	for _, s := range f.streams {
		switch {
		case s.alias: // learned after the fill has begun
			s.done, s.verified = true, true
		case s.done && !s.verified && !s.verifying && f.live.Add(f.delay).After(now):
			next = sooner(next, f.live.Add(f.delay))
		case s.done && s.verified || len(s.page) > 0:
		case s.capacity == 0:
			f.giveUp(s, s.name+" keeps no events", now)
		case s.retryAt.After(now):
			next = sooner(next, s.retryAt)
		default:
			ask = append(ask, s)
		}
	}
	return ask, next
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func (f *fill) query(s *fetch, now time.Time) query {
	if s.done && !s.verifying {
		f.verify(s)
	}
	s.again, s.askedAt = false, now
	return query{stream: s.locator(), from: s.from, start: s.start, limit: f.limit}
}

// receive handles the result of a query. The next one begins at the date of the last
// event, which is returned again: offsets would shift when old events are evicted. Only
// if a page has a single date does the next query use an offset.
func (f *fill) receive(s *fetch, page []eventInfo, now time.Time) {
	f.examine(s, page, now)
	fresh := f.add(s, page, now)
	if fresh > 0 {
		s.retries = 0
	}
	moved := s.last > s.from
	if moved {
		s.from, s.start = s.last, 0
	} else {
		s.start += len(page)
	}
	// A page may be shorter than requested because the server has a limit of its own,
	// which is at least its default page size: only a page that is shorter than that is
	// the last one. A server that returns the same page for any offset has no more
	// events either.
	short := len(page) < wire.Limit
	stuck := fresh == 0 && !moved && s.start > len(page)
	caught := s.covered > 0 && s.last >= s.covered+minOverlap.Milliseconds()
	if !s.asked {
		s.asked, s.reached = true, s.last
	}
	switch {
	case s.again || !short && !stuck && !caught:
	case s.last < s.owed:
		f.fail(s, errors.New("what was pushed is not stored yet"), now)
	case s.verifying:
		f.verdict(s)
	default:
		f.finish(s)
	}
}

// add adds the events of a page that were not on the page before, and returns their
// number.
func (f *fill) add(s *fetch, page []eventInfo, now time.Time) (fresh int) {
	for _, e := range page {
		k := f.cursor.key(&e)
		if e.created == s.last && s.tail[k] {
			continue
		}
		if e.created != s.last || s.tail == nil {
			s.last, s.tail = e.created, make(map[eventKey]bool)
		}
		s.tail[k] = true
		fresh++
		if !s.verifying || !f.cursor.has(s.progress, &e) {
			s.stored++
		}
		s.page = append(s.page, outEvent{e, s.progress, proto.Message{Time: now}})
	}
	return fresh
}

func (f *fill) unhold(pushes []outEvent) {
	for i := range pushes {
		f.held -= len(pushes[i].message.Data)
	}
}

// take returns the events up to the date that all streams have reached.
func (f *fill) take(now time.Time) []proto.Message {
	level, all := int64(1<<62), true
	for _, s := range f.streams {
		if !s.done {
			level, all = min(level, s.last), false
		}
	}
	ready := f.out
	f.out = nil
	for _, s := range f.streams {
		var pushes, page []outEvent
		if all {
			pushes, page, s.pushes, s.page = s.pushes, s.page, nil, nil
		} else {
			pushes, s.pushes = upTo(s.pushes, level)
			page, s.page = upTo(s.page, level)
		}
		f.unhold(pushes)
		ready = append(append(ready, page...), pushes...)
	}
	// Within a millisecond the service's order is kept, and pushed events follow stored
	// ones. Ids have no order: several nodes create them.
	slices.SortStableFunc(ready, func(a, b outEvent) int { return cmp.Compare(a.created, b.created) })
	var out []proto.Message
	for i := range ready {
		o := &ready[i]
		fetched := o.message.Data == nil
		if fetched && o.created <= o.of.floor || !f.cursor.give(o.of, &o.eventInfo, now) {
			continue
		}
		if fetched {
			o.message.Data = o.envelope()
		}
		if f.cursor.positions {
			o.message.Position = f.cursor.gave(o.of, &o.eventInfo)
		}
		out = append(out, o.message)
	}
	return out
}

// upTo splits the events into those up to a date and those after it.
func upTo(events []outEvent, level int64) (before, after []outEvent) {
	if !slices.ContainsFunc(events, func(e outEvent) bool { return e.created <= level }) {
		return nil, events
	}
	for _, e := range events {
		if e.created <= level {
			before = append(before, e)
		} else {
			after = append(after, e)
		}
	}
	return before, after
}

// envelope returns a stored event in the form of a push.
func (o *outEvent) envelope() []byte {
	id := o.streamID
	if len(id) == 0 {
		id = []byte(o.of.id)
	}
	b := make([]byte, 0, len(o.raw)+len(id)+64)
	b = append(b, `{"type":"message","resource":"`...)
	b = append(b, id...)
	b = append(b, `","value":`...)
	b = append(b, o.raw...)
	return append(b, '}')
}

// merged reports whether all stored events that were shown have been fetched and
// returned.
func (f *fill) merged() bool {
	return !slices.ContainsFunc(f.streams, func(s *fetch) bool { return !s.done })
}

// over reports whether, in addition, no event can have been shown late.
func (f *fill) over() bool {
	return f.merged() && !slices.ContainsFunc(f.streams, func(s *fetch) bool { return !s.verified })
}

// release returns the pushed events that are still buffered at the end of the run.
func (f *fill) release() []proto.Message {
	var out []proto.Message
	for _, s := range f.streams {
		if !s.done && s.unverified == 0 { // what was not fetched is before them
			s.unverified = s.progress.from(f.cursor.overlap)
		}
		for i := range s.pushes {
			o := &s.pushes[i]
			if f.cursor.give(o.of, &o.eventInfo, o.message.Time) {
				if f.cursor.positions {
					o.message.Position = f.cursor.gave(o.of, &o.eventInfo)
				}
				out = append(out, o.message)
			}
		}
		s.pushes = nil
	}
	f.held = 0
	return out
}
