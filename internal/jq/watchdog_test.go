package jq

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A step that takes longer than the limit is found, with its event, and no other.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewWatchdog(10 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		found := make(chan *TimeoutError, 1)
		go d.Watch(ctx, func(e *TimeoutError) { found <- e })
		f := &Filter{flag: "--until", expr: ".a"}
		start := time.Now()
		for event := range uint64(5) { // as long as the limit together, not alone
			d.At(event)
			d.enter(f)
			time.Sleep(9 * time.Second)
			d.leave()
			time.Sleep(time.Hour) // waiting for an event, or for stdout
		}
		d.At(7)
		d.enter(f)
		entered := time.Since(start)
		e := <-found
		if took := time.Since(start) - entered; took < 10*time.Second || took > 12*time.Second {
			t.Errorf("found after %s, want some 10s", took)
		}
		if e.Event != 7 || e.Error() != "--until: event 7: no result within 10s: .a" {
			t.Errorf("%v", e)
		}
	})
}
