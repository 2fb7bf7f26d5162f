package drogue

import (
	"testing"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
)

// A world says how an emulator for a test behaves.
type world struct {
	emulator.Options
	Drogue Options
}

// byDefault makes up events.
func byDefault() world { return world{emulator.DefaultOptions(), DefaultOptions()} }

// quiet makes up none.
func quiet() world {
	w := byDefault()
	w.Rate = 0
	return w
}

// A bench is a bench with an emulator of the service alone.
type bench struct {
	*emulatortest.Bench
	drogue *server
}

// inBubble runs f in a bubble of its own.
func inBubble(t *testing.T, w world, f func(b *bench)) {
	t.Helper()
	s, of := Service(w.Drogue), new(bench)
	start := s.Start
	s.Start = func(h *emulator.Host) (emulator.Handler, error) {
		handler, err := start(h)
		of.drogue, _ = handler.(*server)
		return handler, err
	}
	emulatortest.Run(t, w.Options, emulator.Services{s}, func(b *emulatortest.Bench) {
		of.Bench = b
		f(of)
	})
}
