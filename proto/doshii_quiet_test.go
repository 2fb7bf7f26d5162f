package proto_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/proto"
)

// A connection that brings nothing but pongs is noticed after a minute, once, and
// goes on.
func TestDoshiiQuietRun(t *testing.T) {
	opts := byDefault()
	opts.Rate = 0
	inWorld(t, "doshii", opts, func(w *world) {
		start := time.Now()
		var noticed []time.Duration
		d := w.doshii()
		d.Quiet = func() { noticed = append(noticed, time.Since(start)) }
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
		defer cancel()
		err := proto.Run(ctx, d, &tally{t: t}, w.options)
		if !errors.Is(err, context.DeadlineExceeded) || w.statuses[len(w.statuses)-1].State != (proto.Ready{}) {
			w.t.Errorf("Run: %v, statuses %v", err, w.statuses)
		}
		if len(noticed) != 1 || noticed[0] < time.Minute || noticed[0] > 61*time.Second {
			w.t.Errorf("noticed after %v", noticed)
		}
	})
}

// The server's checks of a point of sale are answered and are no events.
func TestDoshiiHealthCheck(t *testing.T) {
	opts := byDefault()
	opts.Rate = 0
	opts.Doshii.HealthCheck = 7 * time.Second
	inWorld(t, "doshii", opts, func(w *world) {
		d := w.doshii()
		d.Path, d.Auth, d.Token = "/pos/socket", nil, proto.StaticToken(doshii.LocationToken)
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		defer cancel()
		sink := &tally{t: t}
		if err := proto.Run(ctx, d, sink, w.options); !errors.Is(err, context.DeadlineExceeded) {
			w.t.Errorf("Run: %v", err)
		}
		answered := 0
		for _, n := range w.notes {
			if n == "health check answered" {
				answered++
			}
		}
		if answered != 8 || sink.n != 0 {
			w.t.Errorf("%d health checks answered, %d events", answered, sink.n)
		}
	})
}
