package octave

import (
	"bytes"
	"hash/maphash"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
)

const (
	// minOverlap is how far before the last event a query for missed events
	// begins: the clocks of the service's nodes differ, and several events may
	// have the same millisecond.
	minOverlap = 5 * time.Second
	// memory is how long an event is remembered at least after it was returned, because
	// it may arrive again.
	memory = 10 * time.Second
	// maxRemembered is the maximum number of events remembered per stream.
	maxRemembered = 1 << 16
)

// A cursor is the position of a run in each of its streams: the state that a connection
// needs from earlier ones to fetch missed events and to recognize those already
// printed. Only the goroutine of Run uses it; concurrent requests do not.
type cursor struct {
	seed    maphash.Seed
	streams []*progress          // in the user's order
	byID    map[string]*progress // by the member resource of messages
	started bool                 // the marks are set
	initial bool                 // and nothing has been fetched yet
	known   bool                 // the streams were looked up in this connection
	refused bool                 // the user has been warned that this is not allowed
	lost    []proto.GapReport    // not yet reported
	fill    *fill                // the last one, until it has finished
	more    bool                 // there are subscriptions without a mark
	live    time.Time            // when the subscriptions were live the last time
	overlap time.Duration        // how far before its mark a query begins
	// ahead is how far the service's clock is ahead of the local one, or a little less;
	// it is known once they were compared.
	ahead    time.Duration
	compared bool
	// positions: the run has positions for a file, and stated: it is said where they
	// begin.
	positions, stated bool
}

// newCursor returns the cursor of a run.
func newCursor() *cursor {
	return &cursor{seed: maphash.MakeSeed(), byID: make(map[string]*progress), overlap: minOverlap}
}

// compare records the service's clock: it had reached at, in Unix milliseconds, when
// the local clock showed now.
func (c *cursor) compare(at int64, now time.Time) {
	if ahead := time.UnixMilli(at).Sub(now); !c.compared || ahead > c.ahead {
		c.ahead, c.compared = ahead, true
	}
}

// service returns the service's time, in Unix milliseconds, when the local clock shows
// now. Unless known is true, it is the local time.
func (c *cursor) service(now time.Time) (at int64, known bool) {
	return now.Add(c.ahead).UnixMilli(), c.compared
}

// local converts a time of the service, in Unix milliseconds, to the local clock; the
// result may be a little late.
func (c *cursor) local(at int64) time.Time { return time.UnixMilli(at).Add(-c.ahead) }

// clockSlack is by how much the result of local may be late: the Date header has
// seconds.
const clockSlack = time.Second

// begun returns when a gap begins, by the local clock, or a little before.
func (c *cursor) begun(at int64) time.Time {
	if !c.compared {
		return c.local(at)
	}
	return c.local(at).Add(-clockSlack)
}

// A progress is the position of a run in one stream. Times are creationDates: Unix
// milliseconds of the service's clock.
type progress struct {
	name     string // as in Octave.Streams
	id       string // "" while unknown
	capacity int    // -1 while unknown
	alias    bool   // another mark is of the same stream
	ended    bool   // unsubscribed at the prompt
	// mark: every event up to here was returned. It is the date of such an event,
	// unless timed is set.
	mark  int64
	timed bool
	// floor: stored events up to here are ignored: they are from before the run, or
	// returned and forgotten.
	floor int64
	// forgotten is the creationDate up to which events were returned that are no longer
	// remembered, although they may be fetched again.
	forgotten int64
	// seen are the events that were returned, as far as they are remembered, with a
	// hash of the payload; order has them in that order.
	seen  map[eventKey]uint64
	order []seenEvent
	// before are events that were returned in an earlier process, with a hash of the
	// payload.
	before map[doneEvent]uint64
	// unverified is the creationDate from which stored events may still be missing,
	// because the REST interface shows them late; 0 for none.
	unverified int64
	// oldest is the creationDate of the first event of the last query.
	oldest int64
	// doubt is a possible gap that is not yet confirmed.
	doubt *doubt
}

// An eventKey identifies a version of an event.
type eventKey struct {
	id              uint64 // hash
	created, edited int64
}

type seenEvent struct {
	key eventKey
	at  time.Time // when it was returned
}

// A doubt is the time between an event that was returned, or a moment, and the oldest
// event that is stored after it, if events between them may have been evicted.
type doubt struct {
	from, to int64
	timed    bool // from is a time, not an event
	gone     bool // the event at from is not stored any more, although younger ones are
}

// begin adds a mark for each stream, once in a run.
func (c *cursor) begin(o *Service) {
	if c.streams != nil {
		return
	}
	c.overlap = max(minOverlap, o.BackfillDelay)
	for _, name := range o.Streams {
		m := &progress{name: name, capacity: -1, seen: make(map[eventKey]uint64)}
		if !strings.HasPrefix(name, "/") {
			m.id = name
			c.byID[name] = m
		}
		c.streams = append(c.streams, m)
		if s, ok := o.Known[name]; ok {
			c.learn(m, s)
		}
	}
	if c.positions = o.positions; o.stored != nil {
		c.restore(o.stored)
	}
}

// learn records the service's description of a stream.
func (c *cursor) learn(m *progress, s Stream) {
	m.id, m.capacity = s.ID, s.Capacity
	if other := c.byID[m.id]; other != nil && other != m {
		m.alias = true
		return
	}
	c.byID[m.id] = m
}

// start sets the time from which events are fetched.
func (c *cursor) start(from int64) {
	c.started = true
	for _, m := range c.streams {
		m.floor = from - 1
		if m.mark == 0 {
			m.mark, m.timed = from, true
		}
	}
}

// byHand records subscriptions changed at the prompt. They are repeated only after a
// connection is live, too late for a fill without a gap, so they have none.
func (c *cursor) byHand(asked handRequest) {
	if asked.typ == wire.TypeSubscribe {
		c.more = true
		return
	}
	for _, m := range c.streams {
		m.ended = m.ended || m.name == asked.stream
	}
}

// find returns the mark of the stream that an event belongs to, or nil. The events of a
// subscription by path contain the stream's id, which is learned from the first one.
func (c *cursor) find(resource []byte, e *eventInfo) *progress {
	if m := c.byID[string(resource)]; m != nil {
		return m
	}
	m := c.byID[string(e.streamID)]
	for i := 0; m == nil && i < len(c.streams); i++ {
		if s := c.streams[i]; s.id == "" && s.name == string(e.path) {
			m = s
		}
	}
	if m != nil && m.id == "" && len(resource) > 0 {
		m.id = string(resource)
		c.byID[m.id] = m
	}
	return m
}

func (c *cursor) key(e *eventInfo) eventKey {
	return eventKey{maphash.Bytes(c.seed, e.id), e.created, e.edited}
}

// has reports whether an event was returned.
func (c *cursor) has(m *progress, e *eventInfo) bool {
	hash, ok := m.seen[c.key(e)]
	if !ok {
		return m.doneBefore(e)
	}
	// A stream of capacity 1 has one event that is overwritten, maybe twice in a
	// millisecond.
	return m.capacity != 1 || hash == maphash.Bytes(c.seed, bytes.TrimSpace(e.elems))
}

// give records that an event is returned, and returns false if it was before.
func (c *cursor) give(m *progress, e *eventInfo, now time.Time) bool {
	if c.has(m, e) {
		return false
	}
	k := c.key(e)
	m.seen[k] = maphash.Bytes(c.seed, bytes.TrimSpace(e.elems))
	m.order = append(m.order, seenEvent{k, now})
	if e.created > m.mark || m.timed && e.created == m.mark {
		m.mark, m.timed = e.created, false
	}
	m.forget(now, c.overlap)
	return true
}

// forget drops events that can no longer arrive again.
func (m *progress) forget(now time.Time, overlap time.Duration) {
	old := m.mark - overlap.Milliseconds()
	if m.unverified != 0 {
		old = min(old, m.unverified)
	}
	n := 0
	for ; n < len(m.order); n++ {
		s := m.order[n]
		if s.key.created < old && now.Sub(s.at) > memory {
			delete(m.seen, s.key)
			continue
		}
		if len(m.order)-n <= maxRemembered {
			break
		}
		delete(m.seen, s.key)
		m.forgotten = max(m.forgotten, min(s.key.created, m.mark))
		m.floor = max(m.floor, m.forgotten)
	}
	if n > 0 {
		m.order = m.order[n:] // append moves the rest down when it grows
	}
}

// firstSeen returns the creationDate of the first remembered event that is not older
// than the given one; 0 for none.
func (m *progress) firstSeen(since int64) (first int64) {
	for _, s := range m.order {
		if at := s.key.created; at >= since && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// from returns where a query for missed events begins.
func (m *progress) from(overlap time.Duration) int64 {
	from := m.mark - overlap.Milliseconds()
	if m.unverified != 0 {
		from = min(from, m.unverified)
	}
	return max(from, min(m.floor+1, m.mark))
}

// locator returns the stream's identifier for the REST interface.
func (m *progress) locator() string {
	if m.id != "" {
		return m.id
	}
	return m.name
}
