package proto

import (
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

func TestKeepAlive(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	state := func(heard, sent int) wsconn.State { return wsconn.State{Heard: at(heard), PingSent: at(sent)} }
	var read wsconn.State // all that has arrived
	k := newKeepAlive(20*time.Second, 10*time.Second, start)
	if p := k.ping(read, false, at(19)); p != nil || !k.due(state(0, -100), false, at(19)).Equal(at(20)) {
		t.Errorf("a ping %q before its time", p)
	}
	if p := k.ping(read, false, at(20)); string(p) != "hark 1" {
		t.Errorf("the first ping is %q", p)
	}
	// The writer has not sent it yet, so the server is not silent.
	if k.overdue(state(5, -100), false, at(39)) {
		t.Error("the answer to a ping that was not sent is overdue")
	}
	if got := k.due(state(5, -100), false, at(21)); !got.Equal(at(22)) {
		t.Errorf("a ping that was not sent is looked at again at %s", got)
	}
	if got := k.due(state(5, 21), false, at(21)); !got.Equal(at(31)) {
		t.Errorf("the answer is due at %s", got)
	}
	if k.overdue(state(5, 21), false, at(30)) || !k.overdue(state(5, 21), false, at(31)) {
		t.Error("the answer is not overdue after 10 s, or before")
	}
	if k.overdue(state(5, 21), true, at(60)) {
		t.Error("what is not read is overdue")
	}
	if p := k.ping(read, false, at(40)); p != nil {
		t.Errorf("ping %q while the last one has no answer", p)
	}
	if p := k.ping(read, true, at(60)); string(p) != "hark 2" {
		t.Errorf("while nothing is read, the ping is %q", p)
	}
	k.forgive()
	if k.overdue(state(5, 60), false, at(100)) {
		t.Error("what came while nothing was read is overdue")
	}
	if p := k.ping(read, false, at(100)); string(p) != "hark 3" {
		t.Errorf("then the ping is %q", p)
	}
	// Any data is a sign of life; only the pong gives the round-trip time.
	if k.overdue(state(101, 100), false, at(111)) || k.asked([]byte("hark 2")) || !k.asked([]byte("hark 3")) {
		t.Error("a message is not a sign of life, or a pong is for another ping")
	}
	if rtt, ok := k.answered(state(101, 100), at(99)); ok {
		t.Errorf("a pong from before the ping: %s", rtt)
	}
	if rtt, ok := k.answered(state(103, 100), at(103)); !ok || rtt != 3*time.Second || k.asked([]byte("hark 3")) {
		t.Errorf("round trip %s, %t", rtt, ok)
	}
	never := newKeepAlive(0, 10*time.Second, start)
	if p := never.ping(read, false, at(1000)); p != nil || !never.due(state(0, 0), false, at(1000)).IsZero() {
		t.Errorf("without an interval, ping %q", p)
	}
}

// A ping waits for unread data, half an interval or five seconds at most.
func TestKeepAliveWaits(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	unread := wsconn.State{Unread: true}
	for interval, patience := range map[time.Duration]time.Duration{
		time.Second: 5 * time.Second, 20 * time.Second: 10 * time.Second,
	} {
		k := newKeepAlive(interval, time.Minute, start)
		due := start.Add(interval)
		if got := k.due(unread, false, due); k.ping(unread, false, due) != nil || !got.Equal(due.Add(50*time.Millisecond)) {
			t.Errorf("%s: a ping does not wait, or is looked at again at %s", interval, got)
		}
		last := due.Add(patience)
		if k.ping(unread, false, last.Add(-1)) != nil || k.ping(unread, false, last) == nil {
			t.Errorf("%s: a ping does not wait for %s", interval, patience)
		}
		k.forgive()
		if now := last.Add(interval); k.ping(unread, false, now) == nil {
			t.Errorf("%s: the second ping in a row waits", interval)
		}
		k = newKeepAlive(interval, time.Minute, start)
		if k.ping(unread, false, due) != nil || k.ping(wsconn.State{}, false, due.Add(time.Second)) == nil {
			t.Errorf("%s: a ping does not go out when all is read", interval)
		}
	}
}
