package credential

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/tokenstore"
)

// Forms are the forms of the value of a flag for a credential: the credential itself, or
// a reference to where it is found.
//
//	env:NAME              an environment variable
//	file:PATH             the content of a file, read each time that it is needed
//	cmd:COMMAND           what a shell command prints, run each time that it is needed
//	keyring:SERVICE/NAME  an entry of the system's keyring, likewise
const Forms = "a literal, env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"

// kindOf returns the kind of a reference and what it names; kind is "" for a literal.
func kindOf(value string) (kind, arg string) {
	kind, arg, ok := strings.Cut(value, ":")
	if !ok || !slices.Contains([]string{"env", "file", "cmd", "keyring"}, kind) {
		return "", value
	}
	return kind, arg
}

// IsReference reports whether the value of a flag says where to find a credential.
func IsReference(value string) bool {
	kind, _ := kindOf(value)
	return kind != ""
}

// MayAsk reports whether to open a reference may ask the user for a password.
func MayAsk(value string) bool {
	kind, _ := kindOf(value)
	return kind == "cmd" || kind == "keyring"
}

// References opens references to credentials.
type References struct {
	// LookupEnv and Environ are the environment, as of the package os.
	LookupEnv func(name string) (value string, ok bool)
	Environ   func() []string
	// Exposed is told of a file that others than its owner can read.
	Exposed func(path string, mode fs.FileMode)
	// Hold says that a command runs until release is called. It may ask on a terminal,
	// so the time that it takes is not that of a connection.
	Hold func(ctx context.Context) (release func())
	// Rescue is process.Options.Rescue for commands.
	Rescue func(kill func()) (done func())
}

// A NoEntryError is an entry that the keyring does not have.
type NoEntryError struct{ Service, Name string }

func (e *NoEntryError) Error() string {
	return fmt.Sprintf("the keyring has no entry %s of %s", e.Name, e.Service)
}

// Open returns a function that gets the value of a credential or of a reference to one.
// renewable reports whether it may get another one the next time. The error is a
// mistake in the reference.
func (r *References) Open(value string) (get func(context.Context) (string, error), renewable bool, err error) {
	kind, arg := kindOf(value)
	switch kind {
	case "env":
		v, ok := r.LookupEnv(arg)
		if !ok || v == "" {
			return nil, false, fmt.Errorf("the environment variable %s is not set", arg)
		}
		return func(context.Context) (string, error) { return v, nil }, false, nil
	case "file":
		get = func(ctx context.Context) (string, error) { return r.file(ctx, arg) }
		info, err := os.Stat(arg)
		if err == nil && info.Mode().IsRegular() { // a pipe can be read once
			_, err = get(context.Background())
		}
		return get, true, err
	case "cmd":
		return func(ctx context.Context) (string, error) { return r.command(ctx, arg) }, true, nil
	case "keyring":
		service, name, ok := cutLast(arg, "/")
		if !ok || service == "" || name == "" {
			return nil, false, errors.New("expected keyring:SERVICE/NAME")
		}
		return func(ctx context.Context) (string, error) { return entry(ctx, service, name) }, true, nil
	}
	return func(context.Context) (string, error) { return value, nil }, false, nil
}

// Usable refuses a credential that cannot travel in a header.
func Usable(s string) error {
	if s == "" {
		return errors.New("the credential is empty")
	}
	for _, c := range []byte(s) {
		if c < ' ' || c == 0x7f {
			return errors.New("the credential has a line break or another control character in it")
		}
	}
	return nil
}

// file reads a file.
func (r *References) file(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && info.Mode().IsRegular() && runtime.GOOS != "windows" {
		r.Exposed(path, mode)
	}
	b, err := bounded.File(ctx, path, bounded.Secret)
	return string(b), err
}

// entry reads an entry of the system's keyring. Its time counts for that of a
// connection: unlike a command, it asks nobody.
func entry(ctx context.Context, service, name string) (string, error) {
	s, err := tokenstore.Lookup(ctx, service, name)
	_, timeout := errors.AsType[*bounded.TimeoutError](err)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil:
		return s, nil
	case errors.Is(err, tokenstore.ErrLocked) || timeout:
		return "", err
	case errors.Is(err, tokenstore.ErrNoEntry):
		return "", &NoEntryError{service, name}
	}
	return "", fmt.Errorf("there is no keyring to read %s of %s from: %w", name, service, err)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// command runs a shell command. Its stderr is ours, so that it can say what is
// wrong; it gets no stdin, which may be the user's data. It may ask on a terminal.
func (r *References) command(outer context.Context, command string) (string, error) {
	defer r.Hold(outer)()
	ctx, cancel := context.WithTimeout(outer, bounded.Patience)
	defer cancel()
	cmd := process.Shell(ctx, command)
	out, complaint := &bounded.Buffer{Limit: bounded.Secret}, &bounded.Buffer{Limit: bounded.Secret}
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.Env = r.Environ()
	err := process.Run(ctx, cmd, process.Options{Shared: process.OnTerminal(), Drain: commandDrain, Rescue: r.Rescue})
	switch {
	case outer.Err() != nil:
		return "", context.Cause(outer)
	case ctx.Err() != nil:
		return "", &bounded.TimeoutError{What: "the command"}
	case errors.Is(err, bounded.ErrFull), out.Full(), complaint.Full():
		return "", &bounded.TooLargeError{What: "the output of the command", Limit: bounded.Secret}
	case err != nil:
		if lines := strings.TrimSpace(complaint.String()); lines != "" {
			return "", fmt.Errorf("the command failed: %w: %s", err, lines)
		}
		return "", fmt.Errorf("the command failed: %w", err)
	}
	return out.String(), nil
}

// commandDrain is how long the output of a command is awaited that has ended, and left
// something behind that has its stdout.
const commandDrain = 250 * time.Millisecond
