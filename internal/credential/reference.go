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

// Forms describes the value of a flag for a credential: the credential itself, or a
// reference to it.
//
//	env:NAME              an environment variable
//	file:PATH             the content of a file, read each time that it is needed
//	cmd:COMMAND           what a shell command prints, run each time that it is needed
//	keyring:SERVICE/NAME  an entry of the system's keyring, likewise
const Forms = "a literal, env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"

// kindOf returns the kind and name of a reference; kind is "" for a literal.
func kindOf(value string) (kind, arg string) {
	kind, arg, ok := strings.Cut(value, ":")
	if !ok || !slices.Contains([]string{"env", "file", "cmd", "keyring"}, kind) {
		return "", value
	}
	return kind, arg
}

// IsReference reports whether the value of a flag is a reference to a credential.
func IsReference(value string) bool {
	kind, _ := kindOf(value)
	return kind != ""
}

// MayAsk reports whether opening a reference may ask the user for a password.
func MayAsk(value string) bool {
	kind, _ := kindOf(value)
	return kind == "cmd" || kind == "keyring"
}

// References opens references to credentials.
type References struct {
	// LookupEnv and Environ access the environment, like those of package os.
	LookupEnv func(name string) (value string, ok bool)
	Environ   func() []string
	// Exposed is called for a file that users other than its owner can read.
	Exposed func(path string, mode fs.FileMode)
	// Hold is called when a command starts; it suspends --connect-timeout until release
	// is called, because the command may ask on a terminal.
	Hold func(ctx context.Context) (release func())
	// Rescue is process.Options.Rescue for commands.
	Rescue func(kill func()) (done func())
}

// A NoEntryError reports a missing entry of the keyring.
type NoEntryError struct{ Service, Name string }

func (e *NoEntryError) Error() string {
	return fmt.Sprintf("the keyring has no entry %s of %s", e.Name, e.Service)
}

// Open returns a function that returns a credential, given literally or by reference.
// renewable reports whether the function may return another one the next time. The
// error is about the reference.
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

// Usable returns an error for a credential that cannot be sent in a header.
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

// entry reads an entry of the system's keyring. Its time counts towards
// --connect-timeout: unlike a command, it does not ask the user.
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

// command runs a shell command. It shares stderr, so that it can report errors, but not
// stdin, which may be the user's data. It may ask on a terminal.
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

// commandDrain is how long to wait for the output of a command that has exited, if a
// process that it has started still has its stdout.
const commandDrain = 250 * time.Millisecond
