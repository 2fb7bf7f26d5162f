package proto

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the REST interface shows late is asked for once more, and only then is a gap
// called filled. What is pushed does not wait for it.
func TestOctaveFillAsksAgain(t *testing.T) {
	const delay = 5 * time.Second
	c, m := one(1000, 100_000)
	early, late, last := stored("early", 120_000), stored("late", 120_500), stored("last", 121_000)
	s := shelf{events: []octaveEvent{early, last}}
	f := newOctaveFill(c, delay)
	f.live = noon
	ask, _ := f.queries(noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
	if got := ids(f.take(noon)); got != "early last" {
		t.Errorf("at first: %s", got)
	}
	if f.over() || !f.merged() {
		t.Errorf("over %t, merged %t after the first answer", f.over(), f.merged())
	}
	if f.hold(m, pushed("pushed", 130_000)) {
		t.Error("an event that was pushed waits for the second answer")
	}
	e := stored("pushed", 130_000)
	c.give(m, &e, noon.Add(time.Second))
	s.events = []octaveEvent{early, late, last, e}
	if ask, next := f.queries(noon.Add(delay - 1)); len(ask) != 0 || !next.Equal(noon.Add(delay)) {
		t.Errorf("%d queries before the delay is over, the next at %s", len(ask), next)
	}
	then := noon.Add(delay)
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

// An answer that comes when the delay is over needs no second one.
func TestOctaveFillAsksOnce(t *testing.T) {
	c, _ := one(1000, 100_000)
	f := newOctaveFill(c, 5*time.Second)
	f.live = noon.Add(-5 * time.Second)
	_, queries := drain(t, f, &shelf{events: []octaveEvent{stored("a", 120_000)}})
	if queries != 1 {
		t.Errorf("%d queries", queries)
	}
}

// A connection that ends before the second answer leaves it to the next one, however
// far that has come meanwhile.
func TestOctaveFillAsksAgainInTheNextConnection(t *testing.T) {
	const delay = 5 * time.Second
	c, m := one(2000, 100_000)
	s := shelf{events: []octaveEvent{stored("a", 120_000), stored("b", 122_000)}}
	f := newOctaveFill(c, delay)
	c.fill, f.live = f, noon
	ask, _ := f.queries(noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
	f.take(noon)
	// Much is pushed, long enough to be forgotten otherwise, and then the connection
	// is lost.
	now := noon
	for i := range 1000 {
		now = now.Add(20 * time.Millisecond)
		e := stored(fmt.Sprint("p", i), int64(130_000+20*i))
		c.give(m, &e, now)
		s.events = append(s.events, e)
	}
	s.events = append([]octaveEvent{stored("late", 119_000)}, s.events...)
	f = newOctaveFill(c, delay)
	f.live = now.Add(-delay) // the answer is final
	got, _ := drain(t, f, &s)
	if ids(got) != "late" {
		t.Errorf("then: %d events, %.80s", len(got), ids(got))
	}
	if gaps := reasons(f.gaps()); gaps != "filled" {
		t.Errorf("gaps %s", gaps)
	}
}

// What cannot be known is no filled gap: the second query fails, or the memory of
// what was given out does not reach back far enough.
func TestOctaveFillThatIsNotVerified(t *testing.T) {
	const delay = 5 * time.Second
	c, _ := one(1000, 100_000)
	f := newOctaveFill(c, delay)
	f.live = noon
	s := shelf{events: []octaveEvent{stored("a", 120_000)}}
	ask, _ := f.queries(noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
	f.take(noon)
	for now := noon.Add(delay); !f.over(); {
		ask, next := f.queries(now)
		if len(ask) == 0 {
			now = next
			continue
		}
		f.query(ask[0], now)
		f.fail(ask[0], &HandshakeError{Stage: StageRequest, Address: "a", Status: 503}, now)
	}
	// How many events were stored was never seen, so that some may have been evicted
	// since the beginning.
	if gaps := reasons(f.gaps()); !strings.HasPrefix(gaps, "100000-") || !strings.HasSuffix(gaps, "s1: request a: HTTP 503 Service Unavailable") {
		t.Errorf("gaps %s", gaps)
	}

	c, m := one(1000, 100_000)
	f = newOctaveFill(c, delay)
	f.live = noon
	ask, _ = f.queries(noon)
	f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
	f.take(noon)
	for i := range octaveRemembered + 10 {
		e := stored(fmt.Sprint("p", i), int64(130_000+i))
		c.give(m, &e, noon)
	}
	ask, _ = f.queries(noon.Add(delay))
	f.receive(ask[0], s.answer(2, f.query(ask[0], noon.Add(delay))), noon.Add(delay))
	if gaps := reasons(f.gaps()); !f.over() || !strings.Contains(gaps, "more events came than can be compared") {
		t.Errorf("over %t, gaps %s", f.over(), gaps)
	}
}

// The service's clock is known by the Date header or by the events that it pushes,
// never by ours.
func TestOctaveClock(t *testing.T) {
	hour := time.Hour.Milliseconds()
	c := newOctaveCursor()
	if at, known := c.service(noon); known || at != noon.UnixMilli() {
		t.Errorf("nothing was compared: %d, %t", at, known)
	}
	c.compare(noon.UnixMilli()-hour-300, noon) // an event took 300 ms to arrive
	c.compare(noon.UnixMilli()-hour-20, noon)
	c.compare(noon.UnixMilli()-hour-500, noon)
	if at, known := c.service(noon.Add(time.Second)); !known || at != noon.UnixMilli()-hour+980 {
		t.Errorf("compared: %d, %t", at, known)
	}
	if got := c.local(noon.UnixMilli() - hour - 20); !got.Equal(noon) {
		t.Errorf("local: %s", got)
	}
	if got := c.begun(noon.UnixMilli() - hour - 20); !got.Equal(noon.Add(-clockSlack)) {
		t.Errorf("begun: %s", got)
	}
}

// A run begins where the subscriptions are live by the service's clock, although
// that is an hour behind and the service does not tell it.
func TestOctaveBeginsWithoutDate(t *testing.T) {
	behind := noon.Add(-time.Hour).UnixMilli()
	o := &Octave{Streams: []string{"s1"}, AckTimeout: time.Second, Backfill: true}
	c := newOctaveCursor()
	connect := func(now time.Time) (*octaveSession, Step) {
		s := &octaveSession{o: o, octaveRecovery: octaveRecovery{cursor: c, received: now}}
		s.Greet(now)
		step, err := decode(s, Message{Data: []byte(`{"head":{"msgId":"subscribe-1","ok":true},"body":{}}`), Time: now})
		if err != nil || !step.Ready {
			t.Fatalf("acknowledged: %+v, %v", step, err)
		}
		return s, step
	}
	connect(noon)
	// Nothing came, so nothing is known, and the gap is not called filled.
	s, step := connect(noon.Add(time.Second))
	if step.Filling {
		t.Error("a gap is filled whose beginning is not known")
	}
	// The first event comes two seconds after the subscriptions were live.
	push := pushed("a", behind+3000)
	push.Time = noon.Add(3 * time.Second)
	if step, err := decode(s, push); err != nil || !step.Event {
		t.Fatalf("pushed: %+v, %v", step, err)
	}
	if m := c.streams[0]; m.floor != behind+1000-1 {
		t.Errorf("stored events count from %d on, want %d", m.floor+1, behind+1000)
	}
	if _, step = connect(noon.Add(4 * time.Second)); !step.Filling {
		t.Error("the gap after an event is not filled")
	}
}

// Without a Date header, --since counts back from our clock, and says so.
func TestOctaveSinceWithoutDate(t *testing.T) {
	for _, granted := range []time.Time{{}, noon.Add(-time.Hour)} {
		o := &Octave{Streams: []string{"s1"}, AckTimeout: time.Second, Ago: time.Minute}
		c := newOctaveCursor()
		s := &octaveSession{o: o, octaveRecovery: octaveRecovery{cursor: c, granted: granted, received: noon}}
		step := stepOf(s.Greet(noon))
		want := noon
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

// What was shown late may be evicted before the second query of the next connection:
// that is no filled gap, although the events after it are all known.
func TestOctaveFillThatComesTooLate(t *testing.T) {
	for _, evicted := range []bool{false, true} {
		c, m := one(1000, 100_000)
		s := shelf{events: []octaveEvent{stored("a", 120_000), stored("b", 125_000)}}
		f := newOctaveFill(c, 5*time.Second)
		c.fill, f.live = f, noon
		ask, _ := f.queries(noon)
		f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
		f.take(noon)
		if evicted {
			s.events = s.events[1:]
		}
		f = newOctaveFill(c, 5*time.Second)
		f.live = noon.Add(-5 * time.Second)
		drain(t, f, &s)
		if gaps := reasons(f.gaps()); (gaps != "filled") != evicted {
			t.Errorf("evicted %t: gaps %s (unverified %d)", evicted, gaps, m.unverified)
		}
	}
}

// Whether a stream was full is known when what it showed late is counted, too.
func TestOctaveFullStreamThatShowsLate(t *testing.T) {
	const delay = 5 * time.Second
	tests := []struct {
		name     string
		capacity int
		second   []octaveEvent // what is stored at the second query, beside c and d
		want     string
	}{
		{"full", 4, []octaveEvent{stored("e", 112_000), stored("f", 113_000)}, "101000-110000 s1 keeps 4 events, and older ones are gone"},
		{"not full", 5, []octaveEvent{stored("e", 112_000), stored("f", 113_000)}, "filled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, m := one(tt.capacity, 100_000)
			last := stored("last", 101_000)
			c.give(m, &last, noon)
			f := newOctaveFill(c, delay)
			f.live = noon
			s := shelf{events: []octaveEvent{stored("c", 110_000), stored("d", 111_000)}}
			for now := noon; !f.over(); now = now.Add(delay) {
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
func TestOctaveEvictedBeforeTheFirstSeen(t *testing.T) {
	const delay = 5 * time.Second
	for _, tt := range []struct {
		capacity int
		want     string
	}{
		{3, "100000-120000 s1 keeps 3 events, and older ones are gone"},
		{4, "filled"},
	} {
		c, _ := one(tt.capacity, 100_000)
		s := shelf{events: []octaveEvent{stored("a", 120_000), stored("b", 122_000)}}
		f := newOctaveFill(c, delay)
		c.fill, f.live = f, noon
		ask, _ := f.queries(noon)
		f.receive(ask[0], s.answer(1, f.query(ask[0], noon)), noon)
		f.take(noon)
		// The connection is lost. An event of 119,000 was stored, and has made room.
		s.events = append(s.events, stored("c", 123_000))
		f = newOctaveFill(c, delay)
		f.live = noon.Add(-delay) // the answer is final
		drain(t, f, &s)
		if gaps := reasons(f.gaps()); gaps != tt.want {
			t.Errorf("gaps %s, want %s", gaps, tt.want)
		}
	}
}
