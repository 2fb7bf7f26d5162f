package stream

import (
	"net/http"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto"
)

// A Service describes a service to all commands: everything except its codec.
type Service struct {
	// Name is the name of its command, of its table in the configuration file, of its
	// emulator and of its recordings.
	Name  string
	Title string
	// Command returns its command.
	Command func(p *program.Program) *cmdline.Command
	// Stream is its streaming command: Command itself, or one below it.
	Stream func(p *program.Program) *Streaming
	// Arguments are valid arguments of Stream.
	Arguments []string
	// Player reads its recordings.
	Player proto.Player

	// Emulator is its emulator, with default options; nil if there is none. Demo are
	// arguments with which Stream has events with --emulator.
	Emulator func() emulator.Service
	Demo     []string
	// Topics are help topics about this service only.
	Topics []cmdline.Topic
	// Attributes are the sources of the attributes of its CloudEvents for the help
	// topic "output"; nil if its events are CloudEvents.
	Attributes *Attributes
	// Ready is the text in the help topic "status" on when its stream is ready: "after
	// …".
	Ready string

	// Settings are what config init asks for; without any it does not support the
	// service.
	Settings []Question
	// Tried is what the settings are tried with, such as an application; "" for
	// nothing.
	Tried string

	// Examples are the examples of doctor; "" for one with the emulator.
	Examples string
	// Synopsis is the synopsis of doctor's arguments; "" for that of Stream.
	Synopsis string
	// AsksFirst: the credentials are checked in a request before the handshake.
	AsksFirst bool
	// Requests: there are requests before the handshake.
	Requests bool

	// Clocked reports whether a message of the client depends on the clock, so that it
	// is not required of other clients; it may be nil.
	Clocked func(message []byte) bool
	// Answer, if not nil, answers a request to a recording that is not a handshake, and
	// reports whether it has.
	Answer func(w http.ResponseWriter, r *http.Request) bool
}

// Services is a list of services, in order.
type Services []Service

// Find returns a service by its name; nil if there is none.
func (all Services) Find(name string) *Service {
	for _, s := range all {
		if s.Name == name {
			return &s
		}
	}
	return nil
}

// that returns the services that match.
func (all Services) that(is func(s Service) bool) Services {
	var some Services
	for _, s := range all {
		if is(s) {
			some = append(some, s)
		}
	}
	return some
}

// Names lists the names of the services.
func (all Services) Names() []string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// Emulated returns the services with an emulator.
func (all Services) Emulated() Services {
	return all.that(func(s Service) bool { return s.Emulator != nil })
}

// Configurable returns the services that config init supports.
func (all Services) Configurable() Services {
	return all.that(func(s Service) bool { return len(s.Settings) > 0 })
}

// Emulators returns the emulators of the services.
func (all Services) Emulators() (list emulator.Services) {
	for _, s := range all.Emulated() {
		list = append(list, s.Emulator())
	}
	return list
}

// OneOf returns names as a choice: "octave, drogue or doshii".
func OneOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// UnknownService returns the error for a service that is not in names.
func UnknownService(name string, names []string) error {
	e := cmdline.Usagef("unknown service%s: expected %s", cmdline.Mention(name), strings.Join(names, ", "))
	e.Suggestion = cmdline.Nearest(name, names)
	return e
}

// Words returns the words of Stream on the command line, without the name of the
// program.
func (s Service) Words(v *Streaming) []string {
	if v.Command.Name == s.Name {
		return []string{s.Name}
	}
	return []string{s.Name, v.Command.Name}
}

// Attributes are the sources of the attributes of a CloudEvent. A line feed begins a
// new line of the table.
type Attributes struct{ ID, Source, Kind, Subject, Time, Data string }

// A Question is a question of config init for one setting.
type Question struct {
	Name, Ask, Default string
	Needed             bool
	// With is a setting that the question depends on.
	With string
}

const OrBetter = ", or better where to find it: env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/NAME"
