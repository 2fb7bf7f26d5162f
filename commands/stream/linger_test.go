package stream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/proto"
)

// --linger counts from the last event after the end of stdin, --hold from the last
// line.
func TestLingering(t *testing.T) {
	for _, tt := range []struct {
		flags promptFlags
		want  time.Duration
		over  error
	}{
		{promptFlags{linger: linger(2 * time.Second), lingerGiven: true}, 6 * time.Second, ending.ErrLinger},
		{promptFlags{hold: linger(2 * time.Second), holds: true}, 3 * time.Second, ending.ErrHold},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			l := tt.flags.Lingers()
			written := l.from(ctx, cancel)
			sink := &lingeringSink{nothing{}, l}
			start := time.Now()
			go func() {
				time.Sleep(time.Second)
				written()
				for range 3 { // at 2, 3 and 4 s
					time.Sleep(time.Second)
					_ = sink.Event(&proto.Event{})
				}
			}()
			<-ctx.Done()
			if d := time.Since(start); d != tt.want || context.Cause(ctx) != tt.over {
				t.Errorf("ended after %s with %v, want %s with %v", d, context.Cause(ctx), tt.want, tt.over)
			}
			time.Sleep(10 * time.Second)
		})
	}
	if l := (&promptFlags{linger: linger(time.Second)}).Lingers(); l != nil {
		t.Error("the default of --linger ends a stream that only sends")
	}
	if l := (&promptFlags{hold: forever, holds: true}).Lingers(); l != nil {
		t.Error("--hold -1 ends a stream")
	}
}

// nothing is a sink.
type nothing struct{}

func (nothing) Event(*proto.Event) error { return nil }
func (nothing) Flush() error             { return nil }
