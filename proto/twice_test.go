package proto_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/plain"
)

// A service is a value: it can be run again, also at the same time. What one run has
// printed is no news to itself only.
func TestServiceRunsTwice(t *testing.T) {
	services := map[string]func(*world) proto.Service{
		"octave": func(w *world) proto.Service {
			o := w.withREST(octave.DemoStream)
			o.Ago = time.Minute
			return o
		},
		"drogue": func(w *world) proto.Service { return w.drogue(drogue.DemoApplication) },
		"doshii": func(w *world) proto.Service { return w.doshii() },
		"connect": func(w *world) proto.Service {
			return &plain.Service{URL: strings.Replace(w.env["HARK_DROGUE_ENDPOINT"], "http", "ws", 1) + "/" + drogue.DemoApplication + "?token=" + w.env["HARK_DROGUE_TOKEN"]}
		},
	}
	for name, service := range services {
		t.Run(name, func(t *testing.T) {
			emulated := name
			if name == "connect" {
				emulated = "drogue"
			}
			opts := byDefault()
			opts.Faults = []string{"after=7 close=1012:again"}
			inWorld(t, emulated, opts, func(w *world) {
				svc := service(w)
				o := proto.DefaultOptions()
				o.Transport, o.Retries = w.transport, 1000
				run := func() {
					if err := proto.Run(w.t.Context(), svc, &tally{t: w.t, limit: 50}, o); !errors.Is(err, errTally) {
						w.t.Errorf("Run: %v", err)
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
