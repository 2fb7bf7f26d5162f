package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
)

// emulateOptions are what the flags of emulate say.
type emulateOptions struct {
	services  []string
	listen    string
	events    string
	printEnv  bool
	command   []string
	emulators emulator.Services
	emulator  emulator.Options
	access    accessFlags
}

func (p *program) emulateCommand(all serviceList) *cmdline.Command {
	names := all.emulated().names()
	o := &emulateOptions{listen: "127.0.0.1:0", emulators: all.emulators(), emulator: emulator.DefaultOptions()}
	return &cmdline.Command{
		Name:  "emulate",
		Usage: "run stand-ins for services",
		Examples: `hark emulate drogue -- hark drogue tail demo-app -n 5
hark emulate octave drogue doshii --listen 127.0.0.1:8080
hark emulate octave --rate 100 -- make test
hark emulate doshii --events events.ndjson --fault 'after=3 drop' -- hark doshii listen -n 10`,
		Complete: wordsOf(names),
		Args:     "SERVICE… [-- COMMAND…]\nSERVICE\t" + oneOf(names) + "\nCOMMAND\truns with the environment that points at the stand-ins; its exit code is hark's",
		Description: "Serves REST, token, discovery and socket endpoints of each SERVICE on one address. Without " +
			"COMMAND, prints the environment that points clients at it (endpoints, demo credentials, names to " +
			"try), a variable a line, and serves until it gets a signal.\n\n" +
			"Other credentials are refused as the service would refuse them; one stream, application, location " +
			"and device is private. What no document tells about a service is a flag with a default.",
		Flags: slices.Concat([]*cmdline.Flag{
			{Name: "listen", Value: cmdline.String(&o.listen),
				Usage: "listen on `HOST:PORT`; port 0 takes a free one"},
			{Name: "print-env", Value: cmdline.Bool(&o.printEnv),
				Usage: "print the environment also when there is a COMMAND, on stderr"},
			{Name: "rate", Value: cmdline.Float(&o.emulator.Rate),
				Usage: "make up `N` events per second for each service; with --events, read so many lines per second"},
			{Name: "events", Value: cmdline.String(&o.events),
				Usage: "send the events in `FILE` instead, one JSON object a line, as hark prints them; - is stdin"},
			{Name: "seed", Value: cmdline.Uint64(&o.emulator.Seed),
				Usage: "the same `N` makes up the same events and the same chances"},
			{Name: "fault", Complete: faultNames(o.emulators), Value: cmdline.Strings(&o.emulator.Faults),
				Usage: "misbehave: `'FAULT…'`, see 'hark help faults'"},
		}, o.access.flags(), emulatorFlags(o.emulators)),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			before, after, dashes := line.Split()
			o.services, o.command = before, after
			switch {
			case len(o.services) == 0:
				return cmdline.Usagef("emulate needs a SERVICE: %s", strings.Join(names, ", "))
			case dashes && len(o.command) == 0:
				return cmdline.Usagef("no COMMAND after --")
			}
			for _, s := range o.services {
				if !slices.Contains(names, s) {
					return unknownService(s, names)
				}
			}
			if err := o.access.check(ctx, line); err != nil {
				return err
			}
			if o.events != "" && line.GivenAs("rate") == "" {
				o.emulator.Rate = 0
			}
			return p.emulate(ctx, o)
		},
	}
}

// emulatorFlags are what is not known of the services, as flags.
func emulatorFlags(all emulator.Services) []*cmdline.Flag {
	var flags []*cmdline.Flag
	all.Flags().VisitAll(func(f *flag.Flag) {
		service, _, _ := strings.Cut(f.Name, "-")
		flags = append(flags, &cmdline.Flag{
			Name: f.Name, Usage: f.Usage, Default: f.DefValue, Value: f.Value,
			Group: "What is not known of " + strings.ToUpper(service[:1]) + service[1:],
		})
	})
	return flags
}

// faultNames completes the name of a fault.
func faultNames(all emulator.Services) cmdline.Completion {
	return func(context.Context, *cmdline.Line) []cmdline.Candidate {
		var words []string
		for _, f := range all.Faults() {
			word := f.Name
			if f.Argument != "" && f.Argument[0] != '[' {
				word += "="
			}
			words = append(words, word)
		}
		return cmdline.Words(words...)
	}
}

// emulate serves the stand-ins until ctx ends or the command has ended.
func (p *program) emulate(ctx context.Context, o *emulateOptions) error {
	rate := 0.0
	if o.events != "" {
		if err := readable(o.events); err != nil {
			return cmdline.FlagErrorf("--events", ": %v", err)
		}
		rate, o.emulator.Rate = o.emulator.Rate, 0
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return cmdline.FlagErrorf("--listen", " %s: %v", o.listen, err)
	}
	e, err := o.emulators.New(o.emulator, o.services...)
	if err != nil {
		l.Close()
		return cmdline.Usagef("%v", err)
	}
	server := &http.Server{Handler: o.access.guard(p, l, o.listen, e), ReadHeaderTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Close()
		e.Close()
		<-served
	}()
	environ, err := e.Environ("http://" + l.Addr().String())
	if err != nil {
		return err
	}
	if o.events != "" {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() { // it may be stuck in a read of stdin, so nobody waits for it
			if err := p.feed(ctx, e, o.events, rate); err != nil && ctx.Err() == nil {
				cancel(cmdline.FlagErrorf("--events", ": %v", err))
			}
		}()
	}
	if len(o.command) > 0 {
		if o.printEnv {
			_, _ = io.WriteString(p.Stderr, strings.Join(environ, "\n")+"\n")
		}
		return p.runCommand(ctx, o.command, environ)
	}
	if _, err := io.WriteString(p.Stdout, strings.Join(environ, "\n")+"\n"); err != nil {
		return &output.WriteError{Err: err}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// feed publishes the lines of a file, and tells which of them are no events.
func (p *program) feed(ctx context.Context, e *emulator.Emulator, file string, rate float64) error {
	events, err := p.open(file) // of a FIFO, it waits for the writer
	if err != nil {
		return err
	}
	defer events.Close()
	skipped := 0
	err = e.Feed(ctx, events, rate, func(line int, err error) {
		if skipped++; skipped == 1 {
			p.say.warning("--events: line %d was skipped: %v", line, err)
		}
	})
	if skipped > 1 {
		p.say.warning("--events: %s were skipped", plural(skipped, "line"))
	}
	return err
}

// readable looks for what is wrong with a file before it is read; - is stdin.
func readable(name string) error {
	if name == "-" {
		return nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", name)
	}
	if !info.Mode().IsRegular() { // opening it may have to wait
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

// open opens a file that a flag names; - is stdin.
func (p *program) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	return os.Open(name)
}

// A commandExit is the end of a command that was run on the user's behalf, with
// its exit code. Whatever there is to say, it has said itself.
type commandExit struct{ code int }

func (e *commandExit) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// commandEnd is how long a command may take to end after a signal.
const commandEnd = 5 * time.Second

// runCommand runs a command in the foreground with more environment. The signal that
// ends hark ends it, with all that it has started, and gives the exit code. On a
// terminal, which sends INT to all by itself, the command shares hark's process group.
func (p *program) runCommand(ctx context.Context, argv, environ []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, inherited(p.Stdout), p.Stderr
	cmd.Env = append(p.Environ(), environ...)
	err := process.Run(ctx, cmd, process.Options{
		Shared: p.StdinTerminal, Grace: commandEnd, Rescue: p.rescues.add,
		Signal: func() os.Signal {
			s, ok := errors.AsType[*signalError](context.Cause(ctx))
			switch {
			case !ok:
				return os.Interrupt
			case p.StdinTerminal && s.signal == os.Interrupt:
				return nil // it has it already
			}
			return s.signal
		},
	})
	if ctx.Err() != nil { // a signal, or a failure of ours: the command was ended by it
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if code := e.ExitCode(); code >= 0 {
			return &commandExit{code}
		}
		return &commandExit{signalled(e)}
	}
	if err != nil {
		return cmdline.Usagef("cannot run %s: %v", argv[0], errors.Unwrap(err))
	}
	return nil
}

// writeLine prints one record.
func writeLine(w io.Writer, line []byte) error {
	if _, err := w.Write(append(line, '\n')); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}
