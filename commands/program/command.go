package program

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
)

// commandEnd is the time limit for a command to exit after a signal.
const commandEnd = 5 * time.Second

// RunCommand runs a command in the foreground with additional environment variables. A
// signal that ends hark is sent to it and its descendants, and determines the exit
// code. On a terminal, which sends INT to all processes itself, the command shares
// hark's process group.
func (p *Program) RunCommand(ctx context.Context, argv, environ []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, Inherited(p.Stdout), p.Stderr
	cmd.Env = append(p.Environ(), environ...)
	err := process.Run(ctx, cmd, process.Options{
		Shared: p.StdinTerminal, Grace: commandEnd, Rescue: p.Rescues.Add,
		Signal: func() os.Signal {
			s, ok := errors.AsType[*process.SignalError](context.Cause(ctx))
			switch {
			case !ok:
				return os.Interrupt
			case p.StdinTerminal && s.Signal == os.Interrupt:
				return nil // it has it already
			}
			return s.Signal
		},
	})
	if ctx.Err() != nil { // a signal or an error has ended the command
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if code := e.ExitCode(); code >= 0 {
			return &ending.CommandExit{Code: code}
		}
		return &ending.CommandExit{Code: process.Signalled(e)}
	}
	if err != nil {
		return cmdline.Usagef("cannot run %s: %v", argv[0], errors.Unwrap(err))
	}
	return nil
}

// OpenBrowser opens an address with $BROWSER or the desktop's browser, without waiting
// for it. It returns false if there is no browser.
func (p *Program) OpenBrowser(address string) bool {
	var argv []string
	if browser, ok := p.LookupEnv("BROWSER"); ok && strings.TrimSpace(browser) != "" {
		argv = strings.Fields(browser)
	} else {
		switch runtime.GOOS {
		case "windows":
			argv = []string{"rundll32", "url.dll,FileProtocolHandler"}
		case "darwin":
			argv = []string{"open"}
		default:
			argv = []string{"xdg-open"}
		}
	}
	cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], address)...)
	cmd.Env = p.Environ()
	if cmd.Start() != nil {
		return false
	}
	go func() { _ = cmd.Wait() }() // it ends with the browser, whenever that is
	return true
}
