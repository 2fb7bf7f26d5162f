package octave

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// Events that the REST interface may show late are requested once more, and only then
// is a gap reported as filled. Pushed events do not wait for it.
func TestFillAsksAgain(t *testing.T) {
	const delay = 5 * time.Second
	c, m := one(1000, 100_000)
	early, late, last := stored("early", 120_000), stored("late", 120_500), stored("last", 121_000)
	s := shelf{events: []eventInfo{early, last}}
	f := newFill(c, delay)
	f.live = prototest.Noon
	ask, _ := f.queries(prototest.Noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
	if got := ids(f.take(prototest.Noon)); got != "early last" {
		t.Errorf("at first: %s", got)
	}
	if f.over() || !f.merged() {
		t.Errorf("over %t, merged %t after the first answer", f.over(), f.merged())
	}
	if f.hold(m, pushed("pushed", 130_000)) {
		t.Error("an event that was pushed waits for the second answer")
	}
	e := stored("pushed", 130_000)
	c.give(m, &e, prototest.Noon.Add(time.Second))
	s.events = []eventInfo{early, late, last, e}
	if ask, next := f.queries(prototest.Noon.Add(delay - 1)); len(ask) != 0 || !next.Equal(prototest.Noon.Add(delay)) {
		t.Errorf("%d queries before the delay is over, the next at %s", len(ask), next)
	}
	then := prototest.Noon.Add(delay)
	ask, _ = f.queries(then)
	q := f.query(ask[0], then)
	if want := last.created - 2*delay.Milliseconds(); q.from != want || q.start != 0 {
		t.Errorf("the second query begins at %d, want %d", q.from, want)
	}
	f.receive(ask[0], s.answer(2, q), then)
	if got := ids(f.take(then)); got != "late" {
		t.Errorf("then: %s", got)
	}
	if gaps := reasons(f.gaps()); !f.over() || gaps != "filled" || m.unverified != 0 {
		t.Errorf("over %t, gaps %s, unverified %d", f.over(), gaps, m.unverified)
	}
}

// A result received after the delay requires no second query.
func TestFillAsksOnce(t *testing.T) {
	c, _ := one(1000, 100_000)
	f := newFill(c, 5*time.Second)
	f.live = prototest.Noon.Add(-5 * time.Second)
	_, queries := drain(t, f, &shelf{events: []eventInfo{stored("a", 120_000)}})
	if queries != 1 {
		t.Errorf("%d queries", queries)
	}
}

// If a connection ends before the second query, the next connection makes it, whatever
// its position.
func TestFillAsksAgainInTheNextConnection(t *testing.T) {
	const delay = 5 * time.Second
	c, m := one(2000, 100_000)
	s := shelf{events: []eventInfo{stored("a", 120_000), stored("b", 122_000)}}
	f := newFill(c, delay)
	c.fill, f.live = f, prototest.Noon
	ask, _ := f.queries(prototest.Noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
	f.take(prototest.Noon)
	// Many events are pushed, enough for older ones to be forgotten, and then the
	// connection is lost.
	now := prototest.Noon
	for i := range 1000 {
		now = now.Add(20 * time.Millisecond)
		e := stored(fmt.Sprint("p", i), int64(130_000+20*i))
		c.give(m, &e, now)
		s.events = append(s.events, e)
	}
	s.events = append([]eventInfo{stored("late", 119_000)}, s.events...)
	f = newFill(c, delay)
	f.live = now.Add(-delay) // the result is final
	got, _ := drain(t, f, &s)
	if ids(got) != "late" {
		t.Errorf("then: %d events, %.80s", len(got), ids(got))
	}
	if gaps := reasons(f.gaps()); gaps != "filled" {
		t.Errorf("gaps %s", gaps)
	}
}

// A gap is not reported as filled if that is not known: the second query fails, or the
// remembered events do not reach back far enough.
func TestFillThatIsNotVerified(t *testing.T) {
	const delay = 5 * time.Second
	c, _ := one(1000, 100_000)
	f := newFill(c, delay)
	f.live = prototest.Noon
	s := shelf{events: []eventInfo{stored("a", 120_000)}}
	ask, _ := f.queries(prototest.Noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
	f.take(prototest.Noon)
	for now := prototest.Noon.Add(delay); !f.over(); {
		ask, next := f.queries(now)
		if len(ask) == 0 {
			now = next
			continue
		}
		f.query(ask[0], now)
		f.fail(ask[0], &proto.HandshakeError{Stage: proto.StageRequest, Address: "a", Status: 503}, now)
	}
	// The number of stored events is unknown, so some may have been evicted since the
	// beginning.
	if gaps := reasons(f.gaps()); !strings.HasPrefix(gaps, "100000-") || !strings.HasSuffix(gaps, "s1: request a: HTTP 503 Service Unavailable") {
		t.Errorf("gaps %s", gaps)
	}

	c, m := one(1000, 100_000)
	f = newFill(c, delay)
	f.live = prototest.Noon
	ask, _ = f.queries(prototest.Noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
	f.take(prototest.Noon)
	for i := range maxRemembered + 10 {
		e := stored(fmt.Sprint("p", i), int64(130_000+i))
		c.give(m, &e, prototest.Noon)
	}
	ask, _ = f.queries(prototest.Noon.Add(delay))
	f.receive(ask[0], s.answer(2, f.query(ask[0], prototest.Noon.Add(delay))), prototest.Noon.Add(delay))
	if gaps := reasons(f.gaps()); !f.over() || !strings.Contains(gaps, "more events came than can be compared") {
		t.Errorf("over %t, gaps %s", f.over(), gaps)
	}
}

// The service's time is derived from the Date header or from pushed events, never from
// the local clock.
func TestClock(t *testing.T) {
	hour := time.Hour.Milliseconds()
	c := newCursor()
	if at, known := c.service(prototest.Noon); known || at != prototest.Noon.UnixMilli() {
		t.Errorf("nothing was compared: %d, %t", at, known)
	}
	c.compare(prototest.Noon.UnixMilli()-hour-300, prototest.Noon) // an event took 300 ms to arrive
	c.compare(prototest.Noon.UnixMilli()-hour-20, prototest.Noon)
	c.compare(prototest.Noon.UnixMilli()-hour-500, prototest.Noon)
	if at, known := c.service(prototest.Noon.Add(time.Second)); !known || at != prototest.Noon.UnixMilli()-hour+980 {
		t.Errorf("compared: %d, %t", at, known)
	}
	if got := c.local(prototest.Noon.UnixMilli() - hour - 20); !got.Equal(prototest.Noon) {
		t.Errorf("local: %s", got)
	}
	if got := c.begun(prototest.Noon.UnixMilli() - hour - 20); !got.Equal(prototest.Noon.Add(-clockSlack)) {
		t.Errorf("begun: %s", got)
	}
}

// A run begins when the subscriptions are live by the service's clock, even if that is
// an hour behind and not sent by the service.
func TestBeginsWithoutDate(t *testing.T) {
	behind := prototest.Noon.Add(-time.Hour).UnixMilli()
	o := &Service{Streams: []string{"s1"}, AckTimeout: time.Second, Backfill: true}
	c := newCursor()
	connect := func(now time.Time) (*session, prototest.Step) {
		s := &session{o: o, recovery: recovery{cursor: c, received: now}}
		s.OnOpen(now)
		step, err := prototest.Decode(s, proto.Message{Data: []byte(`{"head":{"msgId":"subscribe-1","ok":true},"body":{}}`), Time: now})
		if err != nil || !step.Ready {
			t.Fatalf("acknowledged: %+v, %v", step, err)
		}
		return s, step
	}
	connect(prototest.Noon)
	// No event arrived, so nothing is known, and the gap is not reported as filled.
	s, step := connect(prototest.Noon.Add(time.Second))
	if step.Filling {
		t.Error("a gap is filled whose beginning is not known")
	}
	// The first event arrives two seconds after the subscriptions were live.
	push := pushed("a", behind+3000)
	push.Time = prototest.Noon.Add(3 * time.Second)
	if step, err := prototest.Decode(s, push); err != nil || !step.Event {
		t.Fatalf("pushed: %+v, %v", step, err)
	}
	if m := c.streams[0]; m.floor != behind+1000-1 {
		t.Errorf("stored events count from %d on, want %d", m.floor+1, behind+1000)
	}
	if _, step = connect(prototest.Noon.Add(4 * time.Second)); !step.Filling {
		t.Error("the gap after an event is not filled")
	}
}

// Without a Date header, --since is relative to the local clock, with a warning.
func TestSinceWithoutDate(t *testing.T) {
	for _, granted := range []time.Time{{}, prototest.Noon.Add(-time.Hour)} {
		o := &Service{Streams: []string{"s1"}, AckTimeout: time.Second, Ago: time.Minute}
		c := newCursor()
		s := &session{o: o, recovery: recovery{cursor: c, granted: granted, received: prototest.Noon}}
		step := prototest.StepOf(s.OnOpen(prototest.Noon))
		want := prototest.Noon
		if !granted.IsZero() {
			want = granted
		}
		if m := c.streams[0]; m.mark != want.Add(-time.Minute).UnixMilli() {
			t.Errorf("granted %s: from %s", granted, time.UnixMilli(m.mark).UTC())
		}
		if warned := strings.Contains(step.Warning, "does not tell its time"); warned != granted.IsZero() {
			t.Errorf("granted %s: warning %q", granted, step.Warning)
		}
	}
}

// Events shown late may be evicted before the second query of the next connection: then
// the gap is not filled, although all later events are known.
func TestFillThatComesTooLate(t *testing.T) {
	for _, evicted := range []bool{false, true} {
		c, m := one(1000, 100_000)
		s := shelf{events: []eventInfo{stored("a", 120_000), stored("b", 125_000)}}
		f := newFill(c, 5*time.Second)
		c.fill, f.live = f, prototest.Noon
		ask, _ := f.queries(prototest.Noon)
		f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
		f.take(prototest.Noon)
		if evicted {
			s.events = s.events[1:]
		}
		f = newFill(c, 5*time.Second)
		f.live = prototest.Noon.Add(-5 * time.Second)
		drain(t, f, &s)
		if gaps := reasons(f.gaps()); (gaps != "filled") != evicted {
			t.Errorf("evicted %t: gaps %s (unverified %d)", evicted, gaps, m.unverified)
		}
	}
}

// Whether a stream was full is known only when events shown late are counted, too.
func TestFullStreamThatShowsLate(t *testing.T) {
	const delay = 5 * time.Second
	tests := []struct {
		name     string
		capacity int
		second   []eventInfo // what is stored at the second query, alongside c and d
		want     string
	}{
		{"full", 4, []eventInfo{stored("e", 112_000), stored("f", 113_000)}, "101000-110000 s1 keeps 4 events, and older ones are gone"},
		{"not full", 5, []eventInfo{stored("e", 112_000), stored("f", 113_000)}, "filled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, m := one(tt.capacity, 100_000)
			last := stored("last", 101_000)
			c.give(m, &last, prototest.Noon)
			f := newFill(c, delay)
			f.live = prototest.Noon
			s := shelf{events: []eventInfo{stored("c", 110_000), stored("d", 111_000)}}
			for now := prototest.Noon; !f.over(); now = now.Add(delay) {
				ask, _ := f.queries(now)
				f.receive(ask[0], s.answer(1, f.query(ask[0], now)), now)
				f.take(now)
				s.events = append(s.events, tt.second...)
			}
			if gaps := reasons(f.gaps()); gaps != tt.want {
				t.Errorf("gaps %s, want %s", gaps, tt.want)
			}
		})
	}
}

// An event that was hidden may have been evicted before the first one that was seen.
func TestEvictedBeforeTheFirstSeen(t *testing.T) {
	const delay = 5 * time.Second
	for _, tt := range []struct {
		capacity int
		want     string
	}{
		{3, "100000-120000 s1 keeps 3 events, and older ones are gone"},
		{4, "filled"},
	} {
		c, _ := one(tt.capacity, 100_000)
		s := shelf{events: []eventInfo{stored("a", 120_000), stored("b", 122_000)}}
		f := newFill(c, delay)
		c.fill, f.live = f, prototest.Noon
		ask, _ := f.queries(prototest.Noon)
		f.receive(ask[0], s.answer(1, f.query(ask[0], prototest.Noon)), prototest.Noon)
		f.take(prototest.Noon)
		// The connection is lost. An event of 119,000 was stored, and has made room.
		s.events = append(s.events, stored("c", 123_000))
		f = newFill(c, delay)
		f.live = prototest.Noon.Add(-delay) // the result is final
		drain(t, f, &s)
		if gaps := reasons(f.gaps()); gaps != tt.want {
			t.Errorf("gaps %s, want %s", gaps, tt.want)
		}
	}
}
