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
	// memory is how long an event is remembered at least after it was given
	// out, because its other copy may be on its way.
	memory = 10 * time.Second
	// maxRemembered is how many events are remembered for a stream at most.
	maxRemembered = 1 << 16
)

// A cursor is how far a run has come in each of its streams: what a
// connection must know of the ones before it, so that it can fetch what was
// missed between and tell what was printed already. It belongs to the goroutine of
// Run; requests that run alongside the connection do not touch it.
type cursor struct {
	seed    maphash.Seed
	streams []*progress          // in the user's order
	byID    map[string]*progress // by what messages have as resource
	started bool                 // the marks say from when on events are wanted
	initial bool                 // and nothing was fetched yet
	known   bool                 // the streams were looked up in this connection
	refused bool                 // the user knows that this is not allowed
	lost    []proto.GapReport    // found out, not yet reported
	fill    *fill                // the last one, until it is over
	more    bool                 // there are subscriptions that no mark stands for
	live    time.Time            // when the subscriptions were live the last time
	overlap time.Duration        // how far before its mark a query begins
	// ahead is how far the service's clock is ahead of ours, or a little less; it is
	// known once they were compared.
	ahead    time.Duration
	compared bool
}

// newCursor makes the cursor of a run.
func newCursor() *cursor {
	return &cursor{seed: maphash.MakeSeed(), byID: make(map[string]*progress), overlap: minOverlap}
}

// compare takes note of the service's clock: it had reached at, in Unix
// milliseconds, when ours showed now.
func (c *cursor) compare(at int64, now time.Time) {
	if ahead := time.UnixMilli(at).Sub(now); !c.compared || ahead > c.ahead {
		c.ahead, c.compared = ahead, true
	}
}

// service is what the service's clock has reached, in Unix milliseconds, when ours
// shows now. Unless known, it is our own clock that says so.
func (c *cursor) service(now time.Time) (at int64, known bool) {
	return now.Add(c.ahead).UnixMilli(), c.compared
}

// local is the time of our clock that belongs to one of the service's, in Unix
// milliseconds, or a little later.
func (c *cursor) local(at int64) time.Time { return time.UnixMilli(at).Add(-c.ahead) }

// clockSlack is how much too late local may be: the Date header counts seconds.
const clockSlack = time.Second

// begun is when a gap begins, by our clock, or a little before.
func (c *cursor) begun(at int64) time.Time {
	if !c.compared {
		return c.local(at)
	}
	return c.local(at).Add(-clockSlack)
}

// A progress is how far a run has come in one stream. Times are creationDates:
// Unix milliseconds of the service's clock.
type progress struct {
	name     string // as in Octave.Streams
	id       string // empty while it is not known
	capacity int    // -1 while it is not known
	alias    bool   // another mark stands for the same stream
	ended    bool   // a person has unsubscribed from it
	// mark: every event up to here was given out. It is the date of such an event,
	// unless timed is set.
	mark  int64
	timed bool
	// floor: stored events up to here are of no interest: from before the run, or
	// given out and forgotten.
	floor int64
	// forgotten is the creationDate up to which events were given out that are not
	// remembered, although they may be fetched again.
	forgotten int64
	// seen are the events that were given out, as far as they are remembered, with
	// a hash of the payload; order has them as they came.
	seen  map[eventKey]uint64
	order []seenEvent
	// unverified is the creationDate from which stored events may still be missing,
	// because the REST interface shows them late; 0 for none.
	unverified int64
	// oldest is the creationDate of the first event that the last query showed.
	oldest int64
	// doubt is a gap for which it is not yet known whether there is one.
	doubt *doubt
}

// An eventKey tells events apart, and versions of one event.
type eventKey struct {
	id              uint64 // hash
	created, edited int64
}

type seenEvent struct {
	key eventKey
	at  time.Time // when it was given out
}

// A doubt is the time between an event that was given out, or a moment, and the
// oldest event that is stored after it, where neither proves that nothing was evicted
// between.
type doubt struct {
	from, to int64
	timed    bool // from is a moment
	gone     bool // the event at from is not stored any more, although younger ones are
}

// begin makes a mark for each stream, once in a run.
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
}

// learn takes what the service says of a stream.
func (c *cursor) learn(m *progress, s Stream) {
	m.id, m.capacity = s.ID, s.Capacity
	if other := c.byID[m.id]; other != nil && other != m {
		m.alias = true
		return
	}
	c.byID[m.id] = m
}

// start says that events are wanted from a time on.
func (c *cursor) start(from int64) {
	c.started = true
	for _, m := range c.streams {
		m.floor = from - 1
		if m.mark == 0 {
			m.mark, m.timed = from, true
		}
	}
}

// byHand takes note of what a person at a prompt has changed. Such subscriptions
// are made anew only after a connection is live, too late for a fill without a
// hole, so there is none for them.
func (c *cursor) byHand(asked handRequest) {
	if asked.typ == wire.TypeSubscribe {
		c.more = true
		return
	}
	for _, m := range c.streams {
		m.ended = m.ended || m.name == asked.stream
	}
}

// find returns the mark of the stream that an event belongs to, or nil. A
// subscription by path is answered with events that name the stream's id, so
// that is learned from the first one.
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

// has reports whether an event was given out.
func (c *cursor) has(m *progress, e *eventInfo) bool {
	hash, ok := m.seen[c.key(e)]
	// A stream of capacity 1 has one event that is written again and again, maybe
	// twice in a millisecond.
	return ok && (m.capacity != 1 || hash == maphash.Bytes(c.seed, bytes.TrimSpace(e.elems)))
}

// give notes that an event is given out, and returns false when it was before.
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

// forget drops what can no longer come a second time.
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

// firstSeen is the creationDate of the first event that is remembered and not older
// than that; 0 for none.
func (m *progress) firstSeen(since int64) (first int64) {
	for _, s := range m.order {
		if at := s.key.created; at >= since && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// from is where a query for missed events begins.
func (m *progress) from(overlap time.Duration) int64 {
	from := m.mark - overlap.Milliseconds()
	if m.unverified != 0 {
		from = min(from, m.unverified)
	}
	return max(from, min(m.floor+1, m.mark))
}

// locator is how the REST interface is asked for the stream.
func (m *progress) locator() string {
	if m.id != "" {
		return m.id
	}
	return m.name
}
