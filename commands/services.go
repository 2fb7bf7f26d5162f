package commands

import (
	"github.com/hark-cli/hark/commands/connect"
	"github.com/hark-cli/hark/commands/doshii"
	"github.com/hark-cli/hark/commands/drogue"
	"github.com/hark-cli/hark/commands/octave"
	"github.com/hark-cli/hark/commands/stream"
)

// services is the list of services, the only one: to add a service is to add a line
// here. What has to do with all of them ranges over it.
func services() stream.Services {
	return stream.Services{octave.Service(), drogue.Service(), doshii.Service(), connect.Service()}
}
