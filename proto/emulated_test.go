package proto_test

import (
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/emulator/octave"
)

// emulated are the options of an emulator of all services.
type emulated struct {
	emulator.Options
	Octave octave.Options
	Drogue drogue.Options
	Doshii doshii.Options
}

func byDefault() emulated {
	return emulated{emulator.DefaultOptions(), octave.DefaultOptions(), drogue.DefaultOptions(), doshii.DefaultOptions()}
}

// services are the services with these options.
func (o emulated) services() emulator.Services {
	return emulator.Services{octave.Service(o.Octave), drogue.Service(o.Drogue), doshii.Service(o.Doshii)}
}

// start starts an emulator of the named services.
func (o emulated) start(services ...string) (*emulator.Emulator, error) {
	return o.services().New(o.Options, services...)
}
