package drogue

import (
	"testing"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
)

// A world is the configuration of an emulator for a test.
type world struct {
	emulator.Options
	Drogue Options
}

// byDefault generates events.
func byDefault() world { return world{emulator.DefaultOptions(), DefaultOptions()} }

// quiet generates none.
func quiet() world {
	w := byDefault()
	w.Rate = 0
	return w
}

// A bench is a test bench with an emulator of this service only.
type bench struct {
	*emulatortest.Bench
	drogue *server
}

// inBubble runs f in a synctest bubble.
func inBubble(t *testing.T, w world, f func(b *bench)) {
	t.Helper()
	emulatortest.RunService(t, w.Options, Service(w.Drogue), func(b *emulatortest.Bench, s *server) { f(&bench{b, s}) })
}
