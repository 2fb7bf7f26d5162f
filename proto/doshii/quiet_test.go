package doshii_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	doshiiemu "github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/prototest"
)

// inQuietWorld runs f with an emulator that generates no events, and a service for it.
func inQuietWorld(t *testing.T, opts doshiiemu.Options, f func(*prototest.World, *doshii.Service)) {
	t.Helper()
	all := emulator.DefaultOptions()
	all.Rate = 0
	prototest.InWorld(t, all, doshiiemu.Service(opts), func(w *prototest.World) {
		f(w, &doshii.Service{
			Endpoint: w.Env["HARK_DOSHII_ENDPOINT"], Path: "/app/socket/v3",
			Auth:       prototest.StaticToken(doshii.Auth(secret.Value(w.Env["HARK_DOSHII_CLIENT_ID"]))),
			AppVersion: "1.0.0", Heartbeat: 30 * time.Second,
		})
	})
}

// A connection that receives only pongs is reported after a minute, once, and
// continues.
func TestQuietRun(t *testing.T) {
	inQuietWorld(t, doshiiemu.DefaultOptions(), func(w *prototest.World, d *doshii.Service) {
		start := time.Now()
		var noticed []time.Duration
		d.Quiet = func() { noticed = append(noticed, time.Since(start)) }
		ctx, cancel := context.WithTimeout(w.T.Context(), time.Hour)
		defer cancel()
		err := proto.Run(ctx, d, &prototest.Tally{T: t}, w.Options)
		if !errors.Is(err, context.DeadlineExceeded) || w.Statuses[len(w.Statuses)-1].State != (proto.Ready{}) {
			w.T.Errorf("Run: %v, statuses %v", err, w.Statuses)
		}
		if len(noticed) != 1 || noticed[0] < time.Minute || noticed[0] > 61*time.Second {
			w.T.Errorf("noticed after %v", noticed)
		}
	})
}

// The server's checks of a point of sale are answered and are not events.
func TestHealthCheck(t *testing.T) {
	opts := doshiiemu.DefaultOptions()
	opts.HealthCheck = 7 * time.Second
	inQuietWorld(t, opts, func(w *prototest.World, d *doshii.Service) {
		d.Path, d.Auth, d.Token = "/pos/socket", nil, prototest.StaticToken(doshiiemu.LocationToken)
		ctx, cancel := context.WithTimeout(w.T.Context(), time.Minute)
		defer cancel()
		sink := &prototest.Tally{T: t}
		if err := proto.Run(ctx, d, sink, w.Options); !errors.Is(err, context.DeadlineExceeded) {
			w.T.Errorf("Run: %v", err)
		}
		answered := 0
		for _, n := range w.Notes {
			if n == "health check answered" {
				answered++
			}
		}
		if answered != 8 || sink.N != 0 {
			w.T.Errorf("%d health checks answered, %d events", answered, sink.N)
		}
	})
}
