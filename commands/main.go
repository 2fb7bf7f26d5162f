package commands

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"github.com/hark-cli/hark/commands/call"
	"github.com/hark-cli/hark/commands/config"
	"github.com/hark-cli/hark/commands/cursor"
	"github.com/hark-cli/hark/commands/doctor"
	"github.com/hark-cli/hark/commands/emulate"
	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/help"
	"github.com/hark-cli/hark/commands/play"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/recipes"
	"github.com/hark-cli/hark/commands/run"
	"github.com/hark-cli/hark/commands/serve"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/process"
)

// System returns the environment of the process, for Main.
func System() program.Env { return program.System() }

// Main runs the command line args, without the name of the program, and returns the
// exit code. At the second signal it returns at once, whatever is blocked.
func Main(args []string, env program.Env) int {
	stderr := console.NewQueue(env.Stderr, func(lines int) []byte {
		return []byte("hark: warning: " + program.Unwritten("stderr", lines) + "\n")
	})
	p := &program.Program{Env: env, Queue: stderr, Say: console.NewPrinter(stderr), App: app, Rescues: new(process.Rescues)}
	ctx, kill, stop := process.Obey(context.Background(), env.Signals)
	defer stop()
	p.Kill = kill
	code := make(chan int, 1)
	go func() { code <- main(ctx, p, args) }()
	select {
	case c := <-code:
		stderr.Flush(program.FlushTimeout)
		return c
	case s := <-env.Quit:
		p.Rescues.Run()
		_, _ = stderr.Write(process.Stacks())
		stderr.Flush(program.FlushTimeout)
		return (&process.SignalError{Signal: s}).ExitCode()
	case <-kill:
		p.Rescues.Run()
		if s, ok := errors.AsType[*process.SignalError](context.Cause(ctx)); ok {
			return s.ExitCode()
		}
		return ending.Internal
	}
}

func main(ctx context.Context, p *program.Program, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			code = p.Report(&ending.CrashError{Value: r, Stack: debug.Stack()})
		}
	}()
	return p.Report(p.App(p).Run(p.Within(ctx), args))
}

// app returns the tree of commands.
func app(p *program.Program) *cmdline.App {
	info, _ := debug.ReadBuildInfo()
	columns, rows := p.Screen()
	all := services()
	return cmdline.New(cmdline.Config{
		Root: &cmdline.Command{
			Name:  "hark",
			Usage: "listen to event streams over WebSocket, one JSON line per event",
			Examples: `hark drogue tail --emulator demo-app -n 5
hark octave subscribe --emulator /demo/stream --jq '.value.elems'
hark connect wss://stream.example.com/events | jq .`,
			Description: "Events go to stdout, all else to stderr. --emulator requires no account.",
			Flags:       settings.Global(p),
			Commands: func() []*cmdline.Command {
				var ofServices []*cmdline.Command
				for _, s := range all {
					ofServices = append(ofServices, s.Command(p))
				}
				return slices.Concat(
					cmdline.Grouped("Services", append(ofServices, run.Command(p), call.Command(p), recipes.Command(p))...),
					cmdline.Grouped("Tests and recordings", doctor.Command(p, all, run.Find), emulate.Command(p, all), serve.Command(p), play.Command(p, all, run.Player), play.ReplayCommand(p, all), cursor.Command(p)),
					cmdline.Grouped("About hark", config.Command(p, all), help.Completion(p), help.Man(p)))
			},
		},
		Version:   cmdline.VersionLine("hark", info),
		Topics:    help.Topics(all),
		Settings:  func(ctx context.Context, l *cmdline.Line) error { return settings.Add(ctx, p, l) },
		Stdout:    p.Stdout,
		Stderr:    p.Stderr,
		LookupEnv: p.LookupEnv,
		Width:     min(columns, 100),
		Page:      func(text string) error { return p.Page(text, rows) },
		Before:    p.Observe,
		Rare:      help.Rare,
		Heading:   help.Heading,
		Foreign:   help.ForeignAdvice,
	})
}
