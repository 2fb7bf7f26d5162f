package commands

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
)

// Main runs the command line args, without the name of the program, and returns
// the exit code. At the second signal it returns at once, whatever is stuck.
func Main(args []string, env Env) int {
	stderr := console.NewQueue(env.Stderr, func(lines int) []byte {
		return []byte("hark: warning: " + unwritten("stderr", lines) + "\n")
	})
	p := &program{Env: env, stderr: stderr, say: newPrinter(stderr), rescues: new(rescues)}
	ctx, kill, stop := obey(context.Background(), env.Signals)
	defer stop()
	p.kill = kill
	code := make(chan int, 1)
	go func() { code <- p.main(ctx, args) }()
	select {
	case c := <-code:
		stderr.Flush(flushTimeout)
		return c
	case s := <-env.Quit:
		p.rescues.run()
		_, _ = stderr.Write(stacks())
		stderr.Flush(flushTimeout)
		return (&signalError{s}).exitCode()
	case <-kill:
		p.rescues.run()
		if s, ok := errors.AsType[*signalError](context.Cause(ctx)); ok {
			return s.exitCode()
		}
		return exitInternal
	}
}

// flushTimeout is how long the end of the program waits for a reader of stderr that
// takes nothing.
const flushTimeout = 2 * time.Second

// unwritten says that lines of a file were dropped.
func unwritten(file string, lines int) string {
	if lines == 1 {
		return "1 line was not written to " + file + ", which was not read in time"
	}
	return fmt.Sprintf("%d lines were not written to %s, which was not read in time", lines, file)
}

// A program is one run of hark.
type program struct {
	Env
	say *printer
	// stderr is Env.Stderr for lines of our own: whoever writes them must not be held
	// up by its reader. Commands that are started get Env.Stderr itself.
	stderr *console.Queue
	kill   <-chan struct{} // closed by the second signal
	// rescues give back what is ours when nothing else can.
	rescues *rescues
	// checking: a command line is only checked; nothing is looked up or written for it.
	checking bool
	// maxTime is that of --max-time, which counts before there is a stream, too; 0 is none.
	maxTime time.Duration
	// quiet: warnings are not wanted.
	quiet bool
	// noQuestions: nothing may be started that could ask the user for something.
	noQuestions bool
	// warnedFiles are files with credentials that others can read.
	warnedFiles sync.Map
}

func (p *program) main(ctx context.Context, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			code = p.report(&crashError{r, debug.Stack()})
		}
	}()
	return p.report(p.app().Run(context.WithValue(ctx, programKey{}, p), args))
}

// A crashError is a mistake of hark's own.
type crashError struct {
	value any
	stack []byte
}

func (e *crashError) Error() string { return fmt.Sprintf("internal error: %v", e.value) }

// app is the tree of commands.
func (p *program) app() *cmdline.App {
	info, _ := debug.ReadBuildInfo()
	columns, rows := p.Screen()
	all := services()
	return cmdline.New(cmdline.Config{
		Root: &cmdline.Command{
			Name:  "hark",
			Usage: "listen to event streams over WebSocket, one JSON line per event",
			Examples: `hark drogue tail --emulator demo-app -n 5
hark octave subscribe --emulator /demo/stream --jq '.value.elems'
hark doshii listen --emulator --until '.emit[0] == "order_created"' -m 30s
hark connect wss://stream.example.com/events | jq .`,
			Description: "Events go to stdout, everything else to stderr. With --emulator a service " +
				"command talks to a built-in stand-in for the service and needs no account.",
			Flags: globalFlags(p),
			Commands: func() []*cmdline.Command {
				var ofServices []*cmdline.Command
				for _, s := range all {
					ofServices = append(ofServices, s.command(p))
				}
				return slices.Concat(
					cmdline.Grouped("Services", ofServices...),
					cmdline.Grouped("Tests and tapes", p.doctorCommand(all), p.emulateCommand(all), p.serveCommand(), p.playCommand(all), p.replayCommand(all)),
					cmdline.Grouped("About hark", p.configCommand(all), p.completionCommand(), p.manCommand()))
			},
		},
		Version:   cmdline.VersionLine("hark", info),
		Topics:    topics(all),
		Settings:  p.addConfig,
		Stdout:    p.Stdout,
		Stderr:    p.Stderr,
		LookupEnv: p.LookupEnv,
		Width:     min(columns, 100),
		Page:      func(text string) error { return p.page(text, rows) },
		Before:    p.observe,
		Rare:      rare,
		Foreign:   foreignAdvice,
	})
}

// globalFlags are those of every command. They are read from the Line.
func globalFlags(p *program) []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "profile", Value: cmdline.String(new(string)), Complete: p.profileNames,
			Usage: "take settings from the profile `NAME` of the configuration file"},
		{Name: "no-warn-secrets", Value: cmdline.Bool(new(bool)),
			Usage: "no warning when a credential stands on the command line"},
	}
}

// version is how hark names itself to servers: "devel" or the module's version.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
