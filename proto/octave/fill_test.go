package octave

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
	"github.com/hark-cli/hark/proto/prototest"
)

// stored returns an event of the REST interface.
func stored(id string, created int64) eventInfo {
	text := fmt.Sprintf(`{"creationDate":%d,"elems":{"id":%q},"id":%q,"lastEditDate":null,"path":"/a","streamId":"s1"}`, created, id, id)
	e, ok := readEvent([]byte(text))
	if !ok {
		panic(text)
	}
	return e
}

// pushed returns the message with an event.
func pushed(id string, created int64) proto.Message {
	return proto.Message{Data: fmt.Appendf(nil, `{"type":"message","resource":"s1","value":%s}`, stored(id, created).raw), Time: prototest.Noon}
}

// ids returns the ids of events, in order.
func ids(messages []proto.Message) string {
	var out []string
	for _, m := range messages {
		var v wire.Message
		var e wire.Event
		if json.Unmarshal(m.Data, &v) != nil || json.Unmarshal(v.Value, &e) != nil || v.Type != "message" || v.Resource != "s1" {
			panic(string(m.Data))
		}
		out = append(out, e.ID)
	}
	return strings.Join(out, " ")
}

// A shelf is a stream that a fill fetches from: its events, oldest first.
type shelf struct {
	events []eventInfo
	most   int                                      // of a page, 0 for any
	before func(n int, q query) ([]eventInfo, bool) // may answer instead of it
}

func (s *shelf) answer(n int, q query) []eventInfo {
	if s.before != nil {
		if page, ok := s.before(n, q); ok {
			return page
		}
	}
	var page []eventInfo
	for _, e := range s.events {
		if e.created >= q.from {
			page = append(page, e)
		}
	}
	page = page[min(q.start, len(page)):]
	limit := q.limit
	if s.most > 0 {
		limit = min(limit, s.most)
	}
	return page[:min(limit, len(page))]
}

// one returns a cursor with one stream that starts at a time.
func one(capacity int, from int64) (*cursor, *progress) {
	c := newCursor()
	c.begin(&Service{Streams: []string{"s1"}})
	c.learn(c.streams[0], Stream{Stream: wire.Stream{ID: "s1", Path: "/a", Capacity: capacity}})
	c.start(from)
	return c, c.streams[0]
}

// drain runs a fill to its end and returns its events and the number of queries.
func drain(t *testing.T, f *fill, s *shelf) (got []proto.Message, queries int) {
	t.Helper()
	for now := prototest.Noon; !f.over(); {
		ask, next := f.queries(now)
		if len(ask) == 0 && !next.IsZero() {
			now = next
		}
		for _, one := range ask {
			if queries++; queries > 1000 {
				t.Fatal("the queries have no end")
			}
			f.receive(one, s.answer(queries, f.query(one, prototest.Noon)), now)
		}
		got = append(got, f.take(now)...)
	}
	return append(got, f.take(prototest.Noon)...), queries
}

func reasons(gaps []proto.GapReport) string {
	var out []string
	for _, g := range gaps {
		s := "filled"
		if !g.Filled {
			s = g.Reason
			if !g.From.IsZero() {
				s = fmt.Sprintf("%d-%d %s", g.From.UnixMilli(), g.To.UnixMilli(), g.Reason)
			}
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestFill(t *testing.T) {
	const sec = 1000
	many := func(n int, date func(i int) int64) (events []eventInfo) {
		for i := range n {
			events = append(events, stored(fmt.Sprintf("e%d", i), date(i)))
		}
		return events
	}
	all := func(n int) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("e%d", i))
		}
		return strings.Join(out, " ")
	}
	tests := []struct {
		name     string
		from     int64           // of the run
		given    []proto.Message // before the gap
		shelf    shelf
		capacity int
		pushes   []proto.Message // after the subscription, before the first query
		want     string
		queries  int
		gaps     string
	}{
		{name: "nothing stored", from: 100 * sec, capacity: 1000, queries: 1, gaps: "filled"},
		{name: "nothing new", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)},
			shelf: shelf{events: []eventInfo{stored("a", 101*sec)}}, capacity: 1000, queries: 1, gaps: "filled"},
		{name: "what is older than the run stays out", from: 100 * sec,
			shelf:    shelf{events: []eventInfo{stored("old", 99999), stored("a", 100*sec), stored("b", 100*sec+1)}},
			capacity: 1000, want: "a b", queries: 1, gaps: "filled"},
		{name: "an event of the same millisecond", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)},
			shelf:    shelf{events: []eventInfo{stored("a", 101*sec), stored("b", 101*sec)}},
			capacity: 1000, want: "b", queries: 1, gaps: "filled"},
		{name: "an event that became visible late", from: 100 * sec, given: []proto.Message{pushed("a", 110*sec)},
			shelf:    shelf{events: []eventInfo{stored("late", 106*sec), stored("a", 110*sec)}},
			capacity: 1000, want: "late", queries: 1, gaps: "filled"},
		{name: "merged with pushes", from: 100 * sec,
			shelf:    shelf{events: []eventInfo{stored("a", 101*sec), stored("b", 102*sec), stored("d", 104*sec)}},
			pushes:   []proto.Message{pushed("b", 102*sec), pushed("c", 103*sec), pushed("d", 104*sec), pushed("e", 105*sec)},
			capacity: 1000, want: "a b c d e", queries: 1, gaps: "filled"},
		{name: "many pages", from: 100 * sec, shelf: shelf{events: many(2500, func(i int) int64 { return 100*sec + int64(i)*7 })},
			capacity: 10000, want: all(2500), queries: 4, gaps: "filled"},
		{name: "a server with a limit of its own", from: 100 * sec,
			shelf:    shelf{events: many(250, func(i int) int64 { return 100*sec + int64(i/3) }), most: 50},
			capacity: 10000, want: all(250), queries: 6, gaps: "filled"},
		{name: "more events of a millisecond than a page holds", from: 100 * sec,
			shelf: shelf{events: many(230, func(i int) int64 {
				if i < 10 || i >= 200 {
					return 100*sec + int64(i)
				}
				return 100*sec + 50
			}), most: 40},
			capacity: 10000, want: all(230), queries: 8, gaps: "filled"},
		{name: "all of one millisecond, exactly a page", from: 100 * sec,
			shelf:    shelf{events: many(40, func(int) int64 { return 100 * sec }), most: 40},
			capacity: 10000, want: all(40), queries: 2, gaps: "filled"},
		{name: "a server that ignores start", from: 100 * sec,
			shelf: shelf{before: func(int, query) ([]eventInfo, bool) {
				return many(30, func(int) int64 { return 100 * sec }), true
			}},
			capacity: 10000, want: all(30), queries: 2, gaps: "filled"},
		{name: "a stream that is not full", from: 100 * sec, given: []proto.Message{pushed("gone", 101*sec)},
			shelf: shelf{events: []eventInfo{stored("a", 102*sec)}}, capacity: 2, want: "a", queries: 1, gaps: "filled"},
		{name: "a full stream that still has the last event", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)},
			shelf: shelf{events: []eventInfo{stored("a", 101*sec), stored("b", 102*sec)}}, capacity: 2, want: "b", queries: 1, gaps: "filled"},
		{name: "a full stream that has not", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)},
			shelf: shelf{events: []eventInfo{stored("c", 103*sec), stored("d", 104*sec)}}, capacity: 2, want: "c d", queries: 1,
			gaps: "101000-103000 s1 keeps 2 events, and older ones are gone"},
		{name: "a full stream since a time", from: 100 * sec,
			shelf: shelf{events: []eventInfo{stored("c", 103*sec), stored("d", 104*sec)}}, capacity: 2, want: "c d", queries: 1,
			gaps: "100000-103000 s1 keeps 2 events, and older ones are gone"},
		{name: "eviction between two pages", from: 100 * sec,
			shelf: shelf{before: func(n int, q query) ([]eventInfo, bool) {
				if n == 2 {
					return []eventInfo{stored("x", 200*sec), stored("y", 201*sec)}, true
				}
				return nil, false
			}, events: many(1000, func(i int) int64 { return 100*sec + int64(i) })},
			capacity: 100000, want: all(1000) + " x y", queries: 2,
			gaps: "100999-200000 s1 keeps 100000 events, and older ones are gone"},
		{name: "a stream that is busier than the queries", from: 100 * sec, pushes: []proto.Message{pushed("p", 110*sec)},
			shelf: shelf{before: func(n int, q query) ([]eventInfo, bool) { // 20 new ones at each query
				end := 108*sec + int64(n)*2*sec
				var page []eventInfo
				for d := q.from; d <= end; d += 100 {
					page = append(page, stored(fmt.Sprint("e", d), d))
				}
				return page, true
			}},
			capacity: 100000, want: "*", queries: 4, gaps: "filled"},
		{name: "an unknown capacity, the last event is there", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)},
			shelf: shelf{events: []eventInfo{stored("a", 101*sec), stored("b", 102*sec)}}, capacity: -1, want: "b", queries: 1, gaps: "filled"},
		{name: "an unknown capacity, the last event is gone", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)},
			shelf: shelf{events: []eventInfo{stored("c", 103*sec)}}, capacity: -1, want: "c", queries: 1,
			gaps: "101000-103000 s1 keeps a limited number of events, and older ones are gone"},
		{name: "an unknown capacity, nothing is there", from: 100 * sec, given: []proto.Message{pushed("a", 101*sec)}, capacity: -1, queries: 1,
			gaps: fmt.Sprintf("101000-%d s1 keeps a limited number of events, and older ones are gone", prototest.Noon.UnixMilli())},
		{name: "an unknown capacity, no event before", from: 100 * sec, capacity: -1, queries: 1, gaps: "filled"},
		{name: "capacity 0", from: 100 * sec, capacity: 0, pushes: []proto.Message{pushed("a", 101*sec)}, want: "a", gaps: "s1 keeps no events"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, m := one(tt.capacity, tt.from)
			for _, g := range tt.given {
				_, e, _ := readPush(g.Data)
				if !c.give(m, &e, prototest.Noon) {
					t.Errorf("%s was not new", e.id)
				}
			}
			f := newFill(c, 0)
			for _, p := range tt.pushes {
				if !f.hold(m, p) {
					t.Errorf("%s was not held", p.Data)
				}
			}
			got, queries := drain(t, f, &tt.shelf)
			if tt.want != "*" && ids(got) != tt.want {
				t.Errorf("given out: %s\nwant: %s", ids(got), tt.want)
			}
			if queries != tt.queries {
				t.Errorf("%d queries, want %d", queries, tt.queries)
			}
			if gaps := reasons(f.gaps()); gaps != tt.gaps {
				t.Errorf("gaps %s, want %s", gaps, tt.gaps)
			}
			if f.held != 0 {
				t.Errorf("%d bytes are held in the end", f.held)
			}
		})
	}
}

// Events of several streams are ordered by time, although their pages are not.
func TestFillMerges(t *testing.T) {
	c := newCursor()
	c.begin(&Service{Streams: []string{"s1", "s2", "s3"}})
	c.start(1)
	r := rand.New(rand.NewPCG(1, 2))
	shelves := make(map[string]*shelf)
	total := 0
	for i, m := range c.streams {
		s := &shelf{most: 25 + i}
		for range []int{300, 40, 0}[i] {
			s.events = append(s.events, stored(fmt.Sprintf("e%d-%d", i, len(s.events)), 1+r.Int64N(5000)))
			total++
		}
		slices.SortFunc(s.events, func(a, b eventInfo) int { return cmp.Compare(a.created, b.created) })
		shelves[m.name] = s
	}
	f := newFill(c, 0)
	last, count := int64(0), 0
	for !f.over() {
		ask, _ := f.queries(prototest.Noon)
		for _, s := range ask {
			f.receive(s, shelves[s.name].answer(0, f.query(s, prototest.Noon)), prototest.Noon)
		}
		for _, m := range f.take(prototest.Noon) {
			_, e, _ := readPush(m.Data)
			if e.created < last {
				t.Errorf("%s of %d comes after one of %d", e.id, e.created, last)
			}
			last = e.created
			count++
		}
	}
	if count != total {
		t.Errorf("%d events, want %d", count, total)
	}
}

// Events pushed beyond the limit are fetched instead.
func TestFillBound(t *testing.T) {
	c, m := one(100000, 1)
	f := newFill(c, 0)
	var s shelf
	padding := strings.Repeat(" ", 1<<20)
	for i := range 40 {
		id := fmt.Sprintf("e%02d", i)
		p := pushed(id, int64(1000+i))
		p.Data = append(p.Data, padding...)
		f.hold(m, p)
		s.events = append(s.events, stored(id, int64(1000+i)))
	}
	if f.held > holdLimit || f.held < holdLimit*3/4 {
		t.Errorf("%d bytes are held", f.held)
	}
	s.before = func(n int, q query) ([]eventInfo, bool) {
		if n == 1 { // as of the time of the query
			return s.events[:5], true
		}
		return nil, false
	}
	got, _ := drain(t, f, &s)
	if gaps := reasons(f.gaps()); gaps != "filled" {
		t.Errorf("gaps %s", gaps)
	}
	if len(got) != 40 || !slices.IsSortedFunc(got, func(a, b proto.Message) int {
		return strings.Compare(ids([]proto.Message{a}), ids([]proto.Message{b}))
	}) {
		t.Errorf("%d events: %s", len(got), ids(got))
	}
}

// The connection ends while events are fetched: the next one continues, followed by the
// pushed events.
func TestFillInterrupted(t *testing.T) {
	c, m := one(100000, 1)
	var s shelf
	for i := range 1500 {
		s.events = append(s.events, stored(fmt.Sprintf("e%d", i), int64(1000+i*10)))
	}
	f := newFill(c, 0)
	c.fill = f
	f.hold(m, pushed("e1499", s.events[1499].created))
	f.hold(m, pushed("f", s.events[1499].created+1)) // not stored yet
	ask, _ := f.queries(prototest.Noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
	got := f.take(prototest.Noon)
	if len(got) != 1000 {
		t.Errorf("%d events at first", len(got))
	}
	f = newFill(c, 0)
	more, _ := drain(t, f, &s)
	if len(more) != 501 || ids(more[:1]) != "e1000" || ids(more[499:]) != "e1499 f" {
		t.Errorf("then %d events", len(more))
	}
	if gaps := reasons(f.gaps()); gaps != "filled" || f.held != 0 {
		t.Errorf("gaps %s, %d bytes are held", gaps, f.held)
	}

	// And if there is no next one, the buffered events are returned.
	f = newFill(c, 0)
	f.hold(m, pushed("g", 1<<40))
	f.hold(m, pushed("e1499", s.events[1499].created))
	if rest := ids(f.release()); rest != "g" {
		t.Errorf("released %s", rest)
	}
}

func TestFillFailures(t *testing.T) {
	unavailable := &proto.HandshakeError{Stage: proto.StageRequest, Address: "http://api/demo/event", Status: 503}
	refused := &proto.HandshakeError{Stage: proto.StageRequest, Address: "http://api/demo/event", Status: 403, Body: "no right"}
	c, m := one(1000, 1)
	f := newFill(c, 0)
	f.hold(m, pushed("a", 5000))
	now, tries := prototest.Noon, 0
	for !f.over() {
		ask, next := f.queries(now)
		if len(ask) == 0 {
			now = next
			continue
		}
		tries++
		f.fail(ask[0], unavailable, now)
	}
	if d := now.Sub(prototest.Noon); tries != 4 || d > patience {
		t.Errorf("tried %d times in %s", tries, d)
	}
	if got := ids(f.take(now)); got != "a" {
		t.Errorf("given out: %s", got)
	}
	if f.hold(m, pushed("b", 6000)) {
		t.Error("an event was held for nothing")
	}
	if gaps := reasons(f.gaps()); gaps != "s1: request http://api/demo/event: HTTP 503 Service Unavailable" {
		t.Errorf("gaps %s", gaps)
	}

	names := make([]string, 6)
	for i := range names {
		names[i] = fmt.Sprint("s", i)
	}
	c = newCursor()
	c.begin(&Service{Streams: names})
	c.start(1)
	f = newFill(c, 0)
	ask, _ := f.queries(prototest.Noon)
	for _, s := range ask {
		f.fail(s, refused, prototest.Noon)
	}
	if gaps := reasons(f.gaps()); strings.Count(gaps, "HTTP 403 Forbidden: no right") != 3 || !strings.HasSuffix(gaps, "; and 3 more streams") {
		t.Errorf("gaps %s", gaps)
	}
}
