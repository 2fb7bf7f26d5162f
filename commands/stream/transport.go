package stream

import (
	"strings"

	"github.com/hark-cli/hark/internal/emulator"
)

// An Emulated is the emulator of one service in this process.
type Emulated struct {
	emulator *emulator.Emulator
	network  *emulator.Network
	// Demo are the variables for clients: endpoint and credentials.
	Demo map[string]string
}

// startEmulator starts the emulator for a service, with so many events per second.
func startEmulator(service emulator.Service, rate float64) (*Emulated, error) {
	opts := emulator.DefaultOptions()
	opts.Rate = rate
	e, err := emulator.Services{service}.New(opts)
	if err != nil {
		return nil, err
	}
	environ, err := e.Environ(emulator.Base)
	if err != nil {
		e.Close()
		return nil, err
	}
	s := &Emulated{emulator: e, network: emulator.NewNetwork(e), Demo: make(map[string]string)}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		s.Demo[name] = value
	}
	return s, nil
}

func (s *Emulated) close() {
	s.emulator.Close()
	s.network.Close()
}
