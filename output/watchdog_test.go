package output

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto"
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
			d.at(event)
			d.enter(f)
			time.Sleep(9 * time.Second)
			d.leave()
			time.Sleep(time.Hour) // waiting for an event, or for stdout
		}
		d.at(7)
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

// An expression that can be interrupted ends with the cause.
func TestWatchdogInterrupts(t *testing.T) {
	d := NewWatchdog(20 * time.Millisecond)
	ctx, cancel := context.WithCancelCause(d.Context(t.Context()))
	defer cancel(nil)
	go d.Watch(ctx, func(e *TimeoutError) { cancel(e) })
	f, err := Compile("--jq", "range(1e15) | select(. < 0)", Vars{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := New(&out, Options{Filter: f, Context: ctx})
	err = w.Event(&proto.Event{Message: proto.Message{Data: []byte("{}")}, Seq: 3})
	e, ok := errors.AsType[*TimeoutError](err)
	if !ok || e.Event != 3 || e.Flag != "--jq" || !strings.Contains(err.Error(), "range(1e15)") {
		t.Errorf("Event: %v", err)
	}
}
