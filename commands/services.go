package commands

import (
	"github.com/hark-cli/hark/commands/connect"
	"github.com/hark-cli/hark/commands/doshii"
	"github.com/hark-cli/hark/commands/drogue"
	"github.com/hark-cli/hark/commands/octave"
	"github.com/hark-cli/hark/commands/stream"
)

// services is the list of services. A new service is added here only; all code for
// several services ranges over the list.
func services() stream.Services {
	return stream.Services{octave.Service(), drogue.Service(), doshii.Service(), connect.Service()}
}
