package octave

import (
	"fmt"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// The memory of returned events is bounded, and events beyond it are not fetched again.
func TestCursorForgets(t *testing.T) {
	c, m := one(1000, 1)
	now := prototest.Noon
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
	if n := len(m.seen); n > maxRemembered || len(m.order) > maxRemembered {
		t.Errorf("%d events are remembered", n)
	}
	if m.floor != 300_000 || m.from(minOverlap) != 300_000 {
		t.Errorf("floor %d, next query from %d", m.floor, m.from(minOverlap))
	}
}

// Missed events of subscriptions made at the prompt are not fetched, which is reported;
// nor are those of streams unsubscribed from.
func TestFillByHand(t *testing.T) {
	o := &Service{Streams: []string{"/a", "/b"}, AckTimeout: time.Minute, Backfill: true}
	c := newCursor()
	s := &session{o: o, recovery: recovery{cursor: c, granted: prototest.Noon}}
	s.OnOpen(prototest.Noon)
	s.Decode(proto.Message{Data: ack(`"subscribe-1"`, `"ok":true`)})
	if step, _ := prototest.Decode(s, proto.Message{Data: ack(`"subscribe-2"`, `"ok":true`)}); !step.Ready || step.Filling {
		t.Errorf("first connection: %+v", step)
	}
	for _, words := range [][]string{{"subscribe", "/c"}, {"unsubscribe", "/b"}} {
		if _, _, err := s.Command(words[0], words[1:], prototest.Noon); err != nil {
			t.Error(err)
		}
	}
	s.Decode(proto.Message{Data: ack(`"by-hand-1"`, `"ok":true`)})
	s.Decode(proto.Message{Data: ack(`"by-hand-2"`, `"ok":true`)})

	s = &session{o: o, recovery: recovery{cursor: c}}
	s.OnOpen(prototest.Noon)
	if len(s.fill.streams) != 1 || s.fill.streams[0].name != "/a" {
		t.Errorf("fetched: %+v", s.fill.streams)
	}
	s.fill.receive(s.fill.streams[0], nil, prototest.Noon)
	const want = "streams that were subscribed to at the prompt are not looked back at"
	if gaps := reasons(s.fill.gaps()); gaps != want {
		t.Errorf("gaps %s", gaps)
	}
}
