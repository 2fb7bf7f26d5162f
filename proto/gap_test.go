package proto

import (
	"errors"
	"testing"
	"time"
)

// A stream is ready once, after the delay.
func TestReadinessDelay(t *testing.T) {
	r := readiness{delay: time.Second}
	if !r.setLive() || r.setLive() {
		t.Error("a stream becomes live once")
	}
	if !r.due().IsZero() || r.report(noon) {
		t.Error("reported before it was ready")
	}
	if !r.setReady(noon) || r.setReady(noon.Add(time.Hour)) {
		t.Error("a stream becomes ready once")
	}
	if due := r.due(); !due.Equal(noon.Add(time.Second)) || r.report(due.Add(-1)) || !r.report(due) || r.report(due) {
		t.Errorf("not reported once at %s", due)
	}
	if !r.due().IsZero() {
		t.Error("there is more to report")
	}
}

// A gap lasts from the end of the last stream that was ready until the next one is,
// however many connections fail between.
func TestInterruption(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	lost := errors.New("lost")
	var i interruption
	i.connected()
	if gap, ok := i.ready(at(0)); ok {
		t.Errorf("a gap before the first stream: %+v", gap)
	}
	i.lost(at(10), lost)
	i.connected() // and is not ready
	i.connected()
	if gap, ok := i.ready(at(15)); !ok || gap != (Gap{From: at(10), To: at(15), Reason: "lost"}) {
		t.Errorf("gap %+v, %t", gap, ok)
	}

	// A gap that is being filled when the connection is lost stays open.
	i.lost(at(20), lost)
	i.connected()
	i.fill(at(25))
	if gap, ok := i.ready(at(25)); ok {
		t.Errorf("reported before its outcome: %+v", gap)
	}
	i.lost(at(30), errors.New("again"))
	i.connected()
	i.fill(at(35))
	if gap, ok := i.outcome(GapReport{Filled: true}); !ok || gap != (Gap{From: at(20), To: at(35), Reason: "lost", Filled: true}) {
		t.Errorf("filled: %+v, %t", gap, ok)
	}
	if gap, ok := i.outcome(GapReport{From: at(1), To: at(2), Reason: "gone"}); !ok || gap != (Gap{From: at(1), To: at(2), Unfilled: "gone"}) {
		t.Errorf("another one: %+v, %t", gap, ok)
	}
	i.connected()
	if gap, ok := i.outcome(GapReport{Filled: true}); ok {
		t.Errorf("the outcome of no gap: %+v", gap)
	}
}
