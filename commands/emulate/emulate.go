// Package emulate is "hark emulate".
package emulate

import (
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/listen"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/output"
)

// emulateOptions are the flags of emulate.
type emulateOptions struct {
	services  []string
	listen    string
	events    string
	printEnv  bool
	command   []string
	emulators emulator.Services
	emulator  emulator.Options
	access    listen.Flags
}

// Command is "hark emulate".
func Command(p *program.Program, all stream.Services) *cmdline.Command {
	names := all.Emulated().Names()
	o := &emulateOptions{listen: "127.0.0.1:0", emulators: all.Emulators(), emulator: emulator.DefaultOptions()}
	return &cmdline.Command{
		Name:  "emulate",
		Usage: "run local emulators of the services",
		Examples: `hark emulate drogue -- hark drogue tail demo-app -n 5
hark emulate octave drogue doshii --listen 127.0.0.1:8080
hark emulate octave --rate 100 -- make test
hark emulate doshii --events events.ndjson --fault 'after=3 drop' -- hark doshii listen -n 10`,
		Complete: program.WordsOf(names),
		Args:     "SERVICE… [-- COMMAND…]\nSERVICE\t" + stream.OneOf(names) + "\nCOMMAND\ta command to run with that environment; hark exits with its exit code",
		Description: "Serves REST, token, discovery and socket endpoints of each SERVICE on one address. Without " +
			"COMMAND, prints the environment variables that point clients at it (endpoints, demo credentials, names " +
			"to try), one per line, and serves until it receives a signal.\n\n" +
			"All other credentials are refused as the service refuses them; one stream, application, location " +
			"and device is private. Behavior that the service does not document can be set by flags.",
		Flags: slices.Concat([]*cmdline.Flag{
			{Name: "listen", Value: cmdline.String(&o.listen),
				Usage: "listen on `HOST:PORT`; port 0 for any free port"},
			{Name: "print-env", Value: cmdline.Bool(&o.printEnv),
				Usage: "with COMMAND, print the environment to stderr"},
			{Name: "rate", Value: cmdline.Float(&o.emulator.Rate),
				Usage: "generate `N` events per second for each service", Detail: "; with --events, read N lines per second"},
			{Name: "events", Value: cmdline.String(&o.events),
				Usage: "send the events in `FILE`, or - for stdin", Detail: "; one JSON object per line, as hark prints them"},
			{Name: "seed", Value: cmdline.Uint64(&o.emulator.Seed),
				Usage: "seed for generated events and random faults, `N`"},
			{Name: "fault", Complete: faultNames(o.emulators), Value: cmdline.Strings(&o.emulator.Faults),
				Usage: "inject faults: `'FAULT…'`, see 'hark help faults'"},
		}, o.access.Flags(), emulatorFlags(o.emulators)),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			before, after, dashes := line.Split()
			o.services, o.command = before, after
			switch {
			case len(o.services) == 0:
				return cmdline.Usagef("missing argument: SERVICE, one of %s", strings.Join(names, ", "))
			case dashes && len(o.command) == 0:
				return cmdline.Usagef("no COMMAND after --")
			}
			for _, s := range o.services {
				if !slices.Contains(names, s) {
					return stream.UnknownService(s, names)
				}
			}
			if err := o.access.Check(ctx, line); err != nil {
				return err
			}
			if o.events != "" && line.GivenAs("rate") == "" {
				o.emulator.Rate = 0
			}
			return run(ctx, p, o)
		},
	}
}

// emulatorFlags returns the flags for behavior that the services do not document.
func emulatorFlags(all emulator.Services) []*cmdline.Flag {
	var flags []*cmdline.Flag
	all.Flags().VisitAll(func(f *flag.Flag) {
		service, _, _ := strings.Cut(f.Name, "-")
		flags = append(flags, &cmdline.Flag{
			Name: f.Name, Rare: true, Usage: f.Usage, Default: f.DefValue, Value: f.Value,
			Group: "Undocumented behavior of " + strings.ToUpper(service[:1]) + service[1:],
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

// run serves the emulators until ctx is done or the command has exited.
func run(ctx context.Context, p *program.Program, o *emulateOptions) error {
	rate := 0.0
	if o.events != "" {
		if err := program.Readable(o.events); err != nil {
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
	server := &http.Server{Handler: o.access.Guard(p, l, o.listen, e), ReadHeaderTimeout: 30 * time.Second}
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
		go func() { // it may be stuck in a read of stdin, so no one waits for it
			if err := feed(ctx, p, e, o.events, rate); err != nil && ctx.Err() == nil {
				cancel(cmdline.FlagErrorf("--events", ": %v", err))
			}
		}()
	}
	if len(o.command) > 0 {
		if o.printEnv {
			_, _ = io.WriteString(p.Stderr, strings.Join(environ, "\n")+"\n")
		}
		return p.RunCommand(ctx, o.command, environ)
	}
	if _, err := io.WriteString(p.Stdout, strings.Join(environ, "\n")+"\n"); err != nil {
		return &output.WriteError{Err: err}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// feed publishes the lines of a file, and warns about those that are not events.
func feed(ctx context.Context, p *program.Program, e *emulator.Emulator, file string, rate float64) error {
	events, err := p.Open(file) // of a FIFO, it waits for the writer
	if err != nil {
		return err
	}
	defer events.Close()
	skipped := 0
	err = e.Feed(ctx, events, rate, func(line int, err error) {
		if skipped++; skipped == 1 {
			p.Say.Warning("--events: line %d was skipped: %v", line, err)
		}
	})
	if skipped > 1 {
		p.Say.Warning("--events: %s were skipped", program.Plural(skipped, "line"))
	}
	return err
}
