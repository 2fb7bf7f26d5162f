package commands

import (
	"net/http"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto"
)

// services is the list of services, the only one: to add a service is to add a line
// here. What has to do with all of them ranges over it.
func services() serviceList {
	return serviceList{octaveService(), drogueService(), doshiiService(), connectService()}
}

// A service is what the program knows of a service beside its codec.
type service struct {
	// name is that of its command, of its table in the configuration file, of its
	// emulator and of its recordings.
	name  string
	title string
	// command is what is typed for it.
	command func(p *program) *cmdline.Command
	// stream is its command that streams: command itself, or one below it.
	stream func(p *program) *streaming
	// arguments are some that stream takes without complaint.
	arguments []string
	// player reads its recordings.
	player proto.Player

	// emulator is its emulator, with its options as they are by default; nil if there is
	// none. demo are arguments with which stream, with --emulator, has events.
	emulator func() emulator.Service
	demo     []string
	// topics are help topics that are about it alone.
	topics []cmdline.Topic
	// attributes say in the help topic "output" where the attributes of its CloudEvents
	// come from; nil when its events are CloudEvents as they come.
	attributes *attributes
	// ready says in the help topic "status" when its stream is ready: "with …".
	ready string

	// settings are what config init asks for; without any it does not know the service.
	settings []question
	// tried is what the settings can be tried with, such as an application; empty if
	// they need nothing.
	tried string

	// examples are those of doctor; empty for one with the emulator.
	examples string
	// synopsis is that of doctor's arguments; empty for those of stream.
	synopsis string
	// asksFirst: the credentials count in a request before the handshake.
	asksFirst bool

	// clocked reports whether a message of the client depends on the clock, so that
	// no other client can be held to it; nil for never.
	clocked func(message []byte) bool
	// answer answers a request to a recording that is no handshake, and reports
	// whether it has; nil answers none.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

// serviceList are services, in their order.
type serviceList []service

// find finds a service by its name; nil if there is none.
func (all serviceList) find(name string) *service {
	for _, s := range all {
		if s.name == name {
			return &s
		}
	}
	return nil
}

// that returns the services that are like that.
func (all serviceList) that(is func(s service) bool) serviceList {
	var some serviceList
	for _, s := range all {
		if is(s) {
			some = append(some, s)
		}
	}
	return some
}

// names lists the names of the services.
func (all serviceList) names() []string {
	var names []string
	for _, s := range all {
		names = append(names, s.name)
	}
	return names
}

// emulated are those that have an emulator, configurable those that config init knows.
func (all serviceList) emulated() serviceList {
	return all.that(func(s service) bool { return s.emulator != nil })
}

func (all serviceList) configurable() serviceList {
	return all.that(func(s service) bool { return len(s.settings) > 0 })
}

// emulators are the emulators that there are.
func (all serviceList) emulators() (list emulator.Services) {
	for _, s := range all.emulated() {
		list = append(list, s.emulator())
	}
	return list
}

// oneOf writes names as a choice: "octave, drogue or doshii".
func oneOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// unknownService is the error for a service that is not among names.
func unknownService(name string, names []string) error {
	e := cmdline.Usagef("unknown service%s: expected %s", cmdline.Mention(name), strings.Join(names, ", "))
	e.Suggestion = cmdline.Nearest(name, names)
	return e
}

// words are what is typed to stream, without the name of the program.
func (s service) words(v *streaming) []string {
	if v.command.Name == s.name {
		return []string{s.name}
	}
	return []string{s.name, v.command.Name}
}

// attributes are those of a CloudEvent: where each comes from. A line feed begins a new
// line of the table.
type attributes struct{ id, source, kind, subject, time, data string }
