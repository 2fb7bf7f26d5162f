package proto_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	drogueemu "github.com/hark-cli/hark/internal/emulator/drogue"
	octaveemu "github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/plain"
	"github.com/hark-cli/hark/proto/prototest"
)

// A service is a value: it can be run again, also at the same time. Only a run itself
// skips events that it has printed.
func TestServiceRunsTwice(t *testing.T) {
	services := map[string]func(*world) proto.Service{
		"octave": func(w *world) proto.Service {
			o := octaveOf(w, octaveemu.DemoStream)
			o.API = &octave.API{
				Base: w.Env["HARK_OCTAVE_API"], User: o.User, Company: o.Company, Token: o.Token, Client: o.Client,
			}
			o.Backfill, o.Ago = true, time.Minute
			return o
		},
		"drogue": func(w *world) proto.Service { return drogueOf(w, drogueemu.DemoApplication) },
		"doshii": func(w *world) proto.Service { return doshiiOf(w) },
		"connect": func(w *world) proto.Service {
			return &plain.Service{URL: strings.Replace(w.Env["HARK_DROGUE_ENDPOINT"], "http", "ws", 1) + "/" + drogueemu.DemoApplication + "?token=" + w.Env["HARK_DROGUE_TOKEN"]}
		},
	}
	for name, make := range services {
		t.Run(name, func(t *testing.T) {
			emulated := name
			if name == "connect" {
				emulated = "drogue"
			}
			opts := byDefault()
			opts.Faults = []string{"after=7 close=1012:again"}
			inWorld(t, emulated, opts, func(w *world) {
				svc := make(w)
				o := proto.DefaultOptions()
				o.Transport, o.Retries = w.Transport, 1000
				run := func() {
					if err := proto.Run(w.T.Context(), svc, &prototest.Tally{T: w.T, Limit: 50}, o); !errors.Is(err, prototest.ErrEnough) {
						w.T.Errorf("Run: %v", err)
					}
				}
				var runs sync.WaitGroup
				for range 3 {
					runs.Go(run)
				}
				runs.Wait()
				run()
			})
		})
	}
}
