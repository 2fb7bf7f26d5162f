package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/output"
	"github.com/urfave/cli/v2"
)

// emulateOptions are what the flags of emulate say.
type emulateOptions struct {
	services []string
	listen   string
	rate     float64
	seed     uint64
	command  []string
}

func (p *program) emulateCommand() *cli.Command {
	o := &emulateOptions{}
	d := emulator.DefaultOptions()
	return &cli.Command{
		Name:  "emulate",
		Usage: "run stand-ins for services",
		UsageText: `hark emulate octave drogue doshii --listen 127.0.0.1:8080
hark emulate drogue -- hark drogue tail demo-app -n 5
hark emulate octave --rate 100 -- make test`,
		ArgsUsage: "SERVICE… [-- COMMAND…]\nSERVICE\toctave, drogue or doshii\nCOMMAND\truns with the environment that points at the stand-ins; its exit code is hark's",
		Description: "Without COMMAND, prints the environment that points clients at the stand-ins, a " +
			"variable a line, and serves until it gets a signal.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Destination: &o.listen, Value: "127.0.0.1:0",
				Usage: "listen on `HOST:PORT`; port 0 takes a free one"},
			&cli.Float64Flag{Name: "rate", Destination: &o.rate, Value: d.Rate,
				Usage: "make up `N` events per second for each service"},
			&cli.Uint64Flag{Name: "seed", Destination: &o.seed,
				Usage: "the same `N` makes up the same events"},
		},
		Action: func(c *cli.Context) error {
			before, after, dashes := dashArgs(c)
			o.services, o.command = before, after
			switch {
			case len(o.services) == 0:
				return usagef("emulate needs a SERVICE: %s", strings.Join(emulator.Services(), ", "))
			case dashes && len(o.command) == 0:
				return usagef("no COMMAND after --")
			case !(o.rate >= 0 && o.rate <= 1e6):
				return usagef("--rate %v: expected a number from 0 to 1000000", o.rate)
			}
			for _, s := range o.services {
				if !slices.Contains(emulator.Services(), s) {
					return unknownService(s)
				}
			}
			return p.emulate(c.Context, o)
		},
	}
}

func unknownService(name string) error {
	e := usagef("unknown service%s: expected %s", mention(name), strings.Join(emulator.Services(), ", "))
	e.Suggestion = nearest(name, emulator.Services())
	return e
}

// emulate serves the stand-ins until ctx ends or the command has ended.
func (p *program) emulate(ctx context.Context, o *emulateOptions) error {
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return usagef("--listen %s: %v", o.listen, err)
	}
	opts := emulator.DefaultOptions()
	opts.Rate, opts.Seed = o.rate, o.seed
	e, err := emulator.New(opts, o.services...)
	if err != nil {
		l.Close()
		return err
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: 30 * time.Second}
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
	if len(o.command) > 0 {
		return p.runCommand(ctx, o.command, environ)
	}
	w := bufio.NewWriter(p.Stdout)
	for _, v := range environ {
		fmt.Fprintln(w, v)
	}
	if err := w.Flush(); err != nil {
		return &output.WriteError{Err: err}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// A commandExit is the end of a command that was run on the user's behalf, with
// its exit code. Whatever there is to say, it has said itself.
type commandExit struct{ code int }

func (e *commandExit) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// runCommand runs a command in the foreground with more environment. Signals that
// a terminal sends reach it directly; one that only hark gets ends it.
func (p *program) runCommand(ctx context.Context, argv, environ []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, p.Stdout, p.Stderr
	cmd.Env = append(p.Environ(), environ...)
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if code := e.ExitCode(); code >= 0 {
			if code == 0 {
				return nil
			}
			return &commandExit{code}
		}
		return &commandExit{signalled(e)}
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return usagef("cannot run %s: %v", argv[0], errors.Unwrap(err))
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
