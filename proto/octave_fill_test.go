package proto

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// stored is an event as the REST interface has it.
func stored(id string, created int64) octaveEvent {
	text := fmt.Sprintf(`{"creationDate":%d,"elems":{"id":%q},"id":%q,"lastEditDate":null,"path":"/a","streamId":"s1"}`, created, id, id)
	e, ok := readOctaveEvent([]byte(text))
	if !ok {
		panic(text)
	}
	return e
}

// pushed is the message that carries an event.
func pushed(id string, created int64) Message {
	return Message{Data: fmt.Appendf(nil, `{"type":"message","resource":"s1","value":%s}`, stored(id, created).raw), Time: noon}
}

// ids are the ids of events, in order.
func ids(messages []Message) string {
	var out []string
	for _, m := range messages {
		var v wire.OctaveMessage
		var e wire.OctaveEvent
		if json.Unmarshal(m.Data, &v) != nil || json.Unmarshal(v.Value, &e) != nil || v.Type != "message" || v.Resource != "s1" {
			panic(string(m.Data))
		}
		out = append(out, e.ID)
	}
	return strings.Join(out, " ")
}

// A shelf is a stream that a fill fetches from: its events, oldest first.
type shelf struct {
	events []octaveEvent
	most   int                                              // of a page, 0 for any
	before func(n int, q octaveQuery) ([]octaveEvent, bool) // may answer in its place
}

func (s *shelf) answer(n int, q octaveQuery) []octaveEvent {
	if s.before != nil {
		if page, ok := s.before(n, q); ok {
			return page
		}
	}
	var page []octaveEvent
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

// one is a cursor with one stream that wants events from a time on.
func one(capacity int, from int64) (*octaveCursor, *octaveMark) {
	c := newOctaveCursor()
	c.begin(&Octave{Streams: []string{"s1"}})
	c.learn(c.streams[0], OctaveStream{OctaveStream: wire.OctaveStream{ID: "s1", Path: "/a", Capacity: capacity}})
	c.start(from)
	return c, c.streams[0]
}

// drain lets a fill run to its end and returns what it gave out and how many
// queries that took.
func drain(t *testing.T, f *octaveFill, s *shelf) (got []Message, queries int) {
	t.Helper()
	for now := noon; !f.over(); {
		ask, next := f.queries(now)
		if len(ask) == 0 && !next.IsZero() {
			now = next
		}
		for _, one := range ask {
			if queries++; queries > 1000 {
				t.Fatal("the queries have no end")
			}
			f.receive(one, s.answer(queries, f.query(one, noon)), now)
		}
		got = append(got, f.take(now)...)
	}
	return append(got, f.take(noon)...), queries
}

func reasons(gaps []GapReport) string {
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

func TestOctaveFill(t *testing.T) {
	const sec = 1000
	many := func(n int, date func(i int) int64) (events []octaveEvent) {
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
		from     int64     // of the run
		given    []Message // before the gap
		shelf    shelf
		capacity int
		pushes   []Message // after the subscription, before the first query
		want     string
		queries  int
		gaps     string
	}{
		{name: "nothing stored", from: 100 * sec, capacity: 1000, queries: 1, gaps: "filled"},
		{name: "nothing new", from: 100 * sec, given: []Message{pushed("a", 101*sec)},
			shelf: shelf{events: []octaveEvent{stored("a", 101*sec)}}, capacity: 1000, queries: 1, gaps: "filled"},
		{name: "what is older than the run stays out", from: 100 * sec,
			shelf:    shelf{events: []octaveEvent{stored("old", 99999), stored("a", 100*sec), stored("b", 100*sec+1)}},
			capacity: 1000, want: "a b", queries: 1, gaps: "filled"},
		{name: "an event of the same millisecond", from: 100 * sec, given: []Message{pushed("a", 101*sec)},
			shelf:    shelf{events: []octaveEvent{stored("a", 101*sec), stored("b", 101*sec)}},
			capacity: 1000, want: "b", queries: 1, gaps: "filled"},
		{name: "an event that became visible late", from: 100 * sec, given: []Message{pushed("a", 110*sec)},
			shelf:    shelf{events: []octaveEvent{stored("late", 106*sec), stored("a", 110*sec)}},
			capacity: 1000, want: "late", queries: 1, gaps: "filled"},
		{name: "merged with pushes", from: 100 * sec,
			shelf:    shelf{events: []octaveEvent{stored("a", 101*sec), stored("b", 102*sec), stored("d", 104*sec)}},
			pushes:   []Message{pushed("b", 102*sec), pushed("c", 103*sec), pushed("d", 104*sec), pushed("e", 105*sec)},
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
			shelf: shelf{before: func(int, octaveQuery) ([]octaveEvent, bool) {
				return many(30, func(int) int64 { return 100 * sec }), true
			}},
			capacity: 10000, want: all(30), queries: 2, gaps: "filled"},
		{name: "a stream that is not full", from: 100 * sec, given: []Message{pushed("gone", 101*sec)},
			shelf: shelf{events: []octaveEvent{stored("a", 102*sec)}}, capacity: 2, want: "a", queries: 1, gaps: "filled"},
		{name: "a full stream that still has the last event", from: 100 * sec, given: []Message{pushed("a", 101*sec)},
			shelf: shelf{events: []octaveEvent{stored("a", 101*sec), stored("b", 102*sec)}}, capacity: 2, want: "b", queries: 1, gaps: "filled"},
		{name: "a full stream that has not", from: 100 * sec, given: []Message{pushed("a", 101*sec)},
			shelf: shelf{events: []octaveEvent{stored("c", 103*sec), stored("d", 104*sec)}}, capacity: 2, want: "c d", queries: 1,
			gaps: "101000-103000 s1 keeps 2 events, and older ones are gone"},
		{name: "a full stream since a time", from: 100 * sec,
			shelf: shelf{events: []octaveEvent{stored("c", 103*sec), stored("d", 104*sec)}}, capacity: 2, want: "c d", queries: 1,
			gaps: "100000-103000 s1 keeps 2 events, and older ones are gone"},
		{name: "eviction between two pages", from: 100 * sec,
			shelf: shelf{before: func(n int, q octaveQuery) ([]octaveEvent, bool) {
				if n == 2 {
					return []octaveEvent{stored("x", 200*sec), stored("y", 201*sec)}, true
				}
				return nil, false
			}, events: many(1000, func(i int) int64 { return 100*sec + int64(i) })},
			capacity: 100000, want: all(1000) + " x y", queries: 2,
			gaps: "100999-200000 s1 keeps 100000 events, and older ones are gone"},
		{name: "a stream that is busier than the queries", from: 100 * sec, pushes: []Message{pushed("p", 110*sec)},
			shelf: shelf{before: func(n int, q octaveQuery) ([]octaveEvent, bool) { // 20 new ones at each query
				end := 108*sec + int64(n)*2*sec
				var page []octaveEvent
				for d := q.from; d <= end; d += 100 {
					page = append(page, stored(fmt.Sprint("e", d), d))
				}
				return page, true
			}},
			capacity: 100000, want: "*", queries: 4, gaps: "filled"},
		{name: "an unknown capacity, the last event is there", from: 100 * sec, given: []Message{pushed("a", 101*sec)},
			shelf: shelf{events: []octaveEvent{stored("a", 101*sec), stored("b", 102*sec)}}, capacity: -1, want: "b", queries: 1, gaps: "filled"},
		{name: "an unknown capacity, the last event is gone", from: 100 * sec, given: []Message{pushed("a", 101*sec)},
			shelf: shelf{events: []octaveEvent{stored("c", 103*sec)}}, capacity: -1, want: "c", queries: 1,
			gaps: "101000-103000 s1 keeps a limited number of events, and older ones are gone"},
		{name: "an unknown capacity, nothing is there", from: 100 * sec, given: []Message{pushed("a", 101*sec)}, capacity: -1, queries: 1,
			gaps: fmt.Sprintf("101000-%d s1 keeps a limited number of events, and older ones are gone", noon.UnixMilli())},
		{name: "an unknown capacity, no event before", from: 100 * sec, capacity: -1, queries: 1, gaps: "filled"},
		{name: "capacity 0", from: 100 * sec, capacity: 0, pushes: []Message{pushed("a", 101*sec)}, want: "a", gaps: "s1 keeps no events"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, m := one(tt.capacity, tt.from)
			for _, g := range tt.given {
				_, e, _ := readOctavePush(g.Data)
				if !c.give(m, &e, noon) {
					t.Errorf("%s was not new", e.id)
				}
			}
			f := newOctaveFill(c, 0)
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

// Several streams come in the order of time, though their pages do not.
func TestOctaveFillMerges(t *testing.T) {
	c := newOctaveCursor()
	c.begin(&Octave{Streams: []string{"s1", "s2", "s3"}})
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
		slices.SortFunc(s.events, func(a, b octaveEvent) int { return cmp.Compare(a.created, b.created) })
		shelves[m.name] = s
	}
	f := newOctaveFill(c, 0)
	last, count := int64(0), 0
	for !f.over() {
		ask, _ := f.queries(noon)
		for _, s := range ask {
			f.receive(s, shelves[s.name].answer(0, f.query(s, noon)), noon)
		}
		for _, m := range f.take(noon) {
			_, e, _ := readOctavePush(m.Data)
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

// What is pushed beyond the bound is fetched instead.
func TestOctaveFillBound(t *testing.T) {
	c, m := one(100000, 1)
	f := newOctaveFill(c, 0)
	var s shelf
	padding := strings.Repeat(" ", 1<<20)
	for i := range 40 {
		id := fmt.Sprintf("e%02d", i)
		p := pushed(id, int64(1000+i))
		p.Data = append(p.Data, padding...)
		f.hold(m, p)
		s.events = append(s.events, stored(id, int64(1000+i)))
	}
	if f.held > octaveHold || f.held < octaveHold*3/4 {
		t.Errorf("%d bytes are held", f.held)
	}
	s.before = func(n int, q octaveQuery) ([]octaveEvent, bool) {
		if n == 1 { // what the service knew when it was asked
			return s.events[:5], true
		}
		return nil, false
	}
	got, _ := drain(t, f, &s)
	if gaps := reasons(f.gaps()); gaps != "filled" {
		t.Errorf("gaps %s", gaps)
	}
	if len(got) != 40 || !slices.IsSortedFunc(got, func(a, b Message) int {
		return strings.Compare(ids([]Message{a}), ids([]Message{b}))
	}) {
		t.Errorf("%d events: %s", len(got), ids(got))
	}
}

// The connection ends while events are fetched: the next one goes on, with what
// was pushed behind it.
func TestOctaveFillInterrupted(t *testing.T) {
	c, m := one(100000, 1)
	var s shelf
	for i := range 1500 {
		s.events = append(s.events, stored(fmt.Sprintf("e%d", i), int64(1000+i*10)))
	}
	f := newOctaveFill(c, 0)
	c.fill = f
	f.hold(m, pushed("e1499", s.events[1499].created))
	f.hold(m, pushed("f", s.events[1499].created+1)) // not stored yet
	ask, _ := f.queries(noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
	got := f.take(noon)
	if len(got) != 1000 {
		t.Errorf("%d events at first", len(got))
	}
	f = newOctaveFill(c, 0)
	more, _ := drain(t, f, &s)
	if len(more) != 501 || ids(more[:1]) != "e1000" || ids(more[499:]) != "e1499 f" {
		t.Errorf("then %d events", len(more))
	}
	if gaps := reasons(f.gaps()); gaps != "filled" || f.held != 0 {
		t.Errorf("gaps %s, %d bytes are held", gaps, f.held)
	}

	// And when there is no next one, what was held goes out.
	f = newOctaveFill(c, 0)
	f.hold(m, pushed("g", 1<<40))
	f.hold(m, pushed("e1499", s.events[1499].created))
	if rest := ids(f.release()); rest != "g" {
		t.Errorf("released %s", rest)
	}
}

func TestOctaveFillFailures(t *testing.T) {
	unavailable := &HandshakeError{Stage: StageRequest, Address: "http://api/demo/event", Status: 503}
	refused := &HandshakeError{Stage: StageRequest, Address: "http://api/demo/event", Status: 403, Body: "no right"}
	c, m := one(1000, 1)
	f := newOctaveFill(c, 0)
	f.hold(m, pushed("a", 5000))
	now, tries := noon, 0
	for !f.over() {
		ask, next := f.queries(now)
		if len(ask) == 0 {
			now = next
			continue
		}
		tries++
		f.fail(ask[0], unavailable, now)
	}
	if d := now.Sub(noon); tries != 4 || d > octavePatience {
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
	c = newOctaveCursor()
	c.begin(&Octave{Streams: names})
	c.start(1)
	f = newOctaveFill(c, 0)
	ask, _ := f.queries(noon)
	for _, s := range ask {
		f.fail(s, refused, noon)
	}
	if gaps := reasons(f.gaps()); strings.Count(gaps, "HTTP 403 Forbidden: no right") != 3 || !strings.HasSuffix(gaps, "; and 3 more streams") {
		t.Errorf("gaps %s", gaps)
	}
}

// The memory of what was given out is bounded, and events beyond it are not
// fetched again.
func TestOctaveCursorForgets(t *testing.T) {
	c, m := one(1000, 1)
	now := noon
	for i := range 50_000 {
		e := stored(fmt.Sprint("e", i), int64(1000+i))
		now = now.Add(time.Millisecond)
		if !c.give(m, &e, now) {
			t.Fatalf("event %d was not new", i)
		}
	}
	if n := len(m.seen); n > 12_000 || n < 5000 {
		t.Errorf("%d events are remembered", n)
	}
	for i := range 100_000 { // all in one millisecond
		e := stored(fmt.Sprint("f", i), 300_000)
		c.give(m, &e, now)
	}
	if n := len(m.seen); n > octaveRemembered || len(m.order) > octaveRemembered {
		t.Errorf("%d events are remembered", n)
	}
	if m.floor != 300_000 || m.from(octaveOverlap) != 300_000 {
		t.Errorf("floor %d, next query from %d", m.floor, m.from(octaveOverlap))
	}
}

func TestReadOctaveEvent(t *testing.T) {
	for _, tt := range []struct {
		text            string
		ok              bool
		created, edited int64
	}{
		{`{"id":"e1","creationDate":1718870401337}`, true, 1718870401337, 0},
		{`{"id":"e1","creationDate":1.718870401337E12,"lastEditDate":null}`, true, 1718870401337, 0},
		{`{"id":"e1","creationDate":17,"lastEditDate":17}`, true, 17, 0},
		{`{"id":"e1","creationDate":17,"lastEditDate":18}`, true, 17, 18},
		{`{"id":"e1","creationDate":"17"}`, false, 0, 0},
		{`{"id":"e1","creationDate":-17}`, false, 0, 0},
		{`{"id":"e1","creationDate":99999999999999999999999999}`, false, 0, 0},
		{`{"id":7,"creationDate":17}`, false, 17, 0},
		{`{"id":"","creationDate":17}`, false, 17, 0},
		{`{"creationDate":17}`, false, 17, 0},
		{`{"id":"e1","creationDate":17`, false, 17, 0},
		{`null`, false, 0, 0},
		{``, false, 0, 0},
	} {
		e, ok := readOctaveEvent([]byte(tt.text))
		if ok != tt.ok || e.created != tt.created || e.edited != tt.edited {
			t.Errorf("%s: %v, created %d, edited %d", tt.text, ok, e.created, e.edited)
		}
	}
}

// What is read of a message is what encoding/json reads, and never more than the
// message holds.
func FuzzOctavePush(f *testing.F) {
	for _, m := range messages(f, "octave") {
		f.Add(m)
	}
	f.Add([]byte(`{"type":"message","resource":"s1","value":{"id":"e1","creationDate":17,"creationDate":18}}`))
	f.Add([]byte(`{"type":"message","resource":"s1","value":{"id":"e1","creationDate":17},"resource":"s2"}`))
	f.Add([]byte(`{"type":"message","resource":"s\"1","value":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		resource, e, ok := readOctavePush(data)
		if !ok {
			return
		}
		var m, v map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(m["value"], &v); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string][]byte{"id": e.id, "streamId": e.streamID, "path": e.path} {
			if want := unquoted(v[name]); string(got) != string(want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if string(resource) != string(unquoted(m["resource"])) || string(e.raw) != string(m["value"]) {
			t.Errorf("resource %q of %q", resource, m["resource"])
		}
		var created float64
		if json.Unmarshal(v["creationDate"], &created) != nil || int64(created) != e.created {
			t.Errorf("creationDate %d of %s", e.created, v["creationDate"])
		}
	})
}

// What a person subscribes to at a prompt is not looked back at, and that is said;
// what they have unsubscribed from is not fetched.
func TestOctaveFillByHand(t *testing.T) {
	o := &Octave{Streams: []string{"/a", "/b"}, AckTimeout: time.Minute, Backfill: true}
	c := newOctaveCursor()
	s := &octaveSession{o: o, octaveRecovery: octaveRecovery{cursor: c, granted: noon}}
	s.Greet(noon)
	s.Decode(Message{Data: ack(`"subscribe-1"`, `"ok":true`)})
	if step, _ := decode(s, Message{Data: ack(`"subscribe-2"`, `"ok":true`)}); !step.Ready || step.Filling {
		t.Errorf("first connection: %+v", step)
	}
	for _, words := range [][]string{{"subscribe", "/c"}, {"unsubscribe", "/b"}} {
		if _, _, err := s.Command(words[0], words[1:], noon); err != nil {
			t.Error(err)
		}
	}
	s.Decode(Message{Data: ack(`"by-hand-1"`, `"ok":true`)})
	s.Decode(Message{Data: ack(`"by-hand-2"`, `"ok":true`)})

	s = &octaveSession{o: o, octaveRecovery: octaveRecovery{cursor: c}}
	s.Greet(noon)
	if len(s.fill.streams) != 1 || s.fill.streams[0].name != "/a" {
		t.Errorf("fetched: %+v", s.fill.streams)
	}
	s.fill.receive(s.fill.streams[0], nil, noon)
	const want = "streams that were subscribed to at the prompt are not looked back at"
	if gaps := reasons(s.fill.gaps()); gaps != want {
		t.Errorf("gaps %s", gaps)
	}
}
