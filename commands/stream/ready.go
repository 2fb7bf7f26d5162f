package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// readyFlags define actions for when the stream is ready: when events that happen from
// then on will be printed.
type readyFlags struct {
	onReady    string
	readyFile  string
	readyOnly  bool
	readyDelay time.Duration
}

func (f *readyFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "on-ready", Essential: true, Group: program.CatReady, Value: cmdline.String(&f.onReady),
			Usage: "run `COMMAND` once the stream is ready", Detail: "; exit if it fails"},
		{Name: "ready-file", Group: program.CatReady, Value: cmdline.String(&f.readyFile),
			Usage: "create `FILE` when the stream is ready; remove it at exit"},
		{Name: "ready-only", Group: program.CatReady, Value: cmdline.Bool(&f.readyOnly),
			Usage: "exit when the stream is ready"},
		{Name: "ready-delay", Group: program.CatReady, Value: cmdline.Duration(&f.readyDelay),
			Usage: "wait `D` longer before the stream counts as ready"},
	}
}

func (f *readyFlags) check(ctx context.Context, line *cmdline.Line) error {
	if f.readyOnly && f.onReady != "" {
		err := line.Rivals("ready-only", "on-ready", func(name string) {
			if f.readyOnly = name != "ready-only"; f.readyOnly {
				f.onReady = ""
			}
		})
		if e, ok := errors.AsType[*cmdline.UsageError](err); ok {
			e.Advice = "in a shell: hark … --ready-only && COMMAND"
		}
		if err != nil {
			return err
		}
	}
	return program.CheckDuration(line, "ready-delay", f.readyDelay, true)
}

// engine sets the engine's options as the flags have them.
func (f *readyFlags) engine(o *proto.Options) { o.ReadyDelay = f.readyDelay }

// waiting names the flag that waits for the stream to be ready, for a message.
func (f *readyFlags) waiting() string {
	switch {
	case f.readyOnly:
		return "--ready-only: the stream is not ready"
	case f.onReady != "":
		return "--on-ready: the stream is not ready"
	case f.readyFile != "":
		return "--ready-file: the stream is not ready"
	}
	return ""
}

// An onReadyError reports a failure of the command of --on-ready.
type onReadyError struct{ err error }

// Exit returns the exit code of a failed assertion.
func (e *onReadyError) Exit() int { return ending.Assertion }

func (e *onReadyError) Error() string { return "the command of --on-ready failed: " + e.err.Error() }
func (e *onReadyError) Unwrap() error { return e.err }

// whenReady is called when the stream is ready for the first time.
func (s *Stream) whenReady(st proto.Status) {
	if s.readyFile != nil {
		if err := s.readyFile.write(st); err != nil {
			s.cancel(fmt.Errorf("--ready-file: %w", err))
			return
		}
	}
	if s.Flags.readyOnly {
		s.cancel(output.Ended{Condition: "ready-only"})
		return
	}
	if s.Flags.onReady != "" {
		s.startReadyCommand()
	}
}

// readyFileStart is the start of a file of --ready-file.
const readyFileStart = `{"status":"ready",`

// A readyFile is the file of --ready-file.
type readyFile struct {
	path string

	mu   sync.Mutex
	made bool
	over bool // it must not be created any more
}

// remove removes the file, if hark has created it.
func (r *readyFile) remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over = true; r.made {
		r.made = false
		os.Remove(r.path)
	}
}

// write creates the file atomically.
func (r *readyFile) write(st proto.Status) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil
	}
	r.made = true // any older file was removed at the start
	return writeReadyFile(r.path, st)
}

func writeReadyFile(path string, st proto.Status) error {
	b, err := json.Marshal(struct {
		Status  string    `json:"status"`
		Time    time.Time `json:"time"`
		Service string    `json:"service"`
		PID     int       `json:"pid"`
	}{"ready", st.Time.UTC(), st.Service, os.Getpid()})
	if err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(temporary, append(b, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}

// removeStaleReadyFile removes the file of a killed hark, so that it is not mistaken
// for that of this run. Any other file is an error.
func removeStaleReadyFile(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && !bytes.HasPrefix(b, []byte(readyFileStart)) {
		e := cmdline.FlagErrorf("--ready-file", ": %s exists and is not a file of hark's", path)
		e.Advice = "remove it, or choose another name"
		return e
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return cmdline.FlagErrorf("--ready-file", ": %v", err)
	}
	return nil
}

// A readyCommand is the command of --on-ready while it runs.
type readyCommand struct {
	stop context.CancelFunc
	done chan error // gets its error; nil also if it was stopped
}

// startReadyCommand runs the command of --on-ready alongside the stream. Its output
// goes to stderr, because stdout is used for events, and it gets no stdin.
func (s *Stream) startReadyCommand() {
	ctx, stop := context.WithCancel(context.Background())
	cmd := process.Shell(ctx, s.Flags.onReady)
	cmd.Stdout, cmd.Stderr, cmd.Env = s.Stderr, s.Stderr, s.Environ()
	s.command = &readyCommand{stop: stop, done: make(chan error, 1)}
	go func() {
		err := process.Run(ctx, cmd, process.Options{Grace: time.Second, Rescue: s.Rescues.Add})
		if err != nil && ctx.Err() == nil {
			s.cancel(&onReadyError{err})
		} else {
			err = nil
		}
		s.command.done <- err
	}()
}

// commandGrace is how long the command of --on-ready may run after the stream.
const commandGrace = 2 * time.Second

// finishReadyCommand waits a moment for the command of --on-ready, which is often about
// to exit, and then ends it. Its failure is that of the stream, unless the stream has
// one.
func (s *Stream) finishReadyCommand(err error) error {
	if s.command == nil {
		return err
	}
	defer s.command.stop()
	if !ending.Is[*process.SignalError](err) {
		t := time.NewTimer(commandGrace)
		defer t.Stop()
		select {
		case failure := <-s.command.done:
			if failure != nil && ending.Of(err).Code == ending.OK {
				return &onReadyError{failure}
			}
			return err
		case <-t.C:
		case <-s.Kill:
		}
	}
	s.command.stop()
	<-s.command.done
	return err
}
