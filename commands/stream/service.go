package stream

import (
	"net/http"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto"
)

// A Service is what the program knows of a service apart from its codec.
type Service struct {
	// Name is that of its command, of its table in the configuration file, of its
	// emulator and of its recordings.
	Name  string
	Title string
	// Command is what is typed for it.
	Command func(p *program.Program) *cmdline.Command
	// Stream is its command that streams: command itself, or one below it.
	Stream func(p *program.Program) *Streaming
	// Arguments are some that stream takes without complaint.
	Arguments []string
	// Player reads its recordings.
	Player proto.Player

	// Emulator is its emulator, with its options as they are by default; nil if there is
	// none. demo are arguments with which stream, with --emulator, has events.
	Emulator func() emulator.Service
	Demo     []string
	// Topics are help topics that are about it alone.
	Topics []cmdline.Topic
	// Attributes say in the help topic "output" where the attributes of its CloudEvents
	// come from; nil when its events are CloudEvents as they come.
	Attributes *Attributes
	// Ready says in the help topic "status" when its stream is ready: "with …".
	Ready string

	// Settings are what config init asks for; without any it does not know the service.
	Settings []Question
	// Tried is what the settings can be tried with, such as an application; empty if
	// they need nothing.
	Tried string

	// Examples are those of doctor; empty for one with the emulator.
	Examples string
	// Synopsis is that of doctor's arguments; empty for those of stream.
	Synopsis string
	// AsksFirst: the credentials count in a request before the handshake.
	AsksFirst bool

	// Clocked reports whether a message of the client depends on the clock, so that
	// no other client can be held to it; nil for never.
	Clocked func(message []byte) bool
	// Answer answers a request to a recording that is no handshake, and reports
	// whether it has; nil answers none.
	Answer func(w http.ResponseWriter, r *http.Request) bool
}

// Services are services, in their order.
type Services []Service

// Find finds a service by its name; nil if there is none.
func (all Services) Find(name string) *Service {
	for _, s := range all {
		if s.Name == name {
			return &s
		}
	}
	return nil
}

// that returns the services that are like that.
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

// Emulated are those that have an emulator, configurable those that config init knows.
func (all Services) Emulated() Services {
	return all.that(func(s Service) bool { return s.Emulator != nil })
}

// Configurable are those that config init knows.
func (all Services) Configurable() Services {
	return all.that(func(s Service) bool { return len(s.Settings) > 0 })
}

// Emulators are the emulators that there are.
func (all Services) Emulators() (list emulator.Services) {
	for _, s := range all.Emulated() {
		list = append(list, s.Emulator())
	}
	return list
}

// OneOf writes names as a choice: "octave, drogue or doshii".
func OneOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// UnknownService is the error for a service that is not among names.
func UnknownService(name string, names []string) error {
	e := cmdline.Usagef("unknown service%s: expected %s", cmdline.Mention(name), strings.Join(names, ", "))
	e.Suggestion = cmdline.Nearest(name, names)
	return e
}

// Words are what is typed to stream, without the name of the program.
func (s Service) Words(v *Streaming) []string {
	if v.Command.Name == s.Name {
		return []string{s.Name}
	}
	return []string{s.Name, v.Command.Name}
}

// Attributes are those of a CloudEvent: where each comes from. A line feed begins a new
// line of the table.
type Attributes struct{ ID, Source, Kind, Subject, Time, Data string }

// A Question is what init asks for one setting.
type Question struct {
	Name, Ask, Default string
	Needed             bool
	// With is a setting without which there is no point in asking.
	With string
}

const OrBetter = ", or better where to find it: env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/NAME"
