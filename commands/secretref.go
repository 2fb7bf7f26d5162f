package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
)

// A secretRef is the value of a flag for a credential: the credential itself, or
// where to find it.
//
//	env:NAME      an environment variable
//	file:PATH     the content of a file, read each time that it is needed
//	cmd:COMMAND   what a shell command prints, run each time that it is needed
//	keyring:SERVICE/NAME  an entry of the system's keyring, likewise
type secretRef string

const secretForms = "a literal, env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"

// isReference tells whether the value of a flag says where to find a credential.
func isReference(value string) bool {
	kind, _, ok := strings.Cut(value, ":")
	return ok && slices.Contains([]string{"env", "file", "cmd", "keyring"}, kind)
}

// source makes a source of the reference that is named by flag in its errors; nil
// for an empty reference. renewable tells that it may give another value the
// next time.
func (p *program) source(flag string, ref secretRef) (src proto.TokenSource, renewable bool, err error) {
	if ref == "" {
		return nil, false, nil
	}
	kind, arg, ok := strings.Cut(string(ref), ":")
	if !ok {
		kind = ""
	}
	if p.checking && isReference(string(ref)) { // its value is not the file's
		value := secret.Value("x")
		if strings.HasSuffix(flag, "user") || strings.HasSuffix(flag, "-u") || strings.HasSuffix(flag, "-U") {
			value = "x:x"
		}
		return func(context.Context) (secret.Value, error) { return value, nil }, false, nil
	}
	if p.noQuestions && (kind == "cmd" || kind == "keyring") {
		return nil, false, cmdline.Usagef("%s: not looked up, it could ask for a password", flag)
	}
	var get func(context.Context) (string, error)
	switch kind {
	case "env":
		v, ok := p.LookupEnv(arg)
		if !ok || v == "" {
			return nil, false, cmdline.Usagef("%s: the environment variable %s is not set", flag, arg)
		}
		get = func(context.Context) (string, error) { return v, nil }
	case "file":
		get, renewable = func(ctx context.Context) (string, error) { return p.readSecret(ctx, arg) }, true
		if info, err := os.Stat(arg); err != nil {
			return nil, false, cmdline.Usagef("%s: %v", flag, err)
		} else if info.Mode().IsRegular() { // a pipe can be read once
			if _, err := get(context.Background()); err != nil {
				return nil, false, cmdline.Usagef("%s: %v", flag, err)
			}
		}
	case "cmd":
		get, renewable = func(ctx context.Context) (string, error) { return p.runSecret(ctx, arg) }, true
	case "keyring":
		get, renewable = func(ctx context.Context) (string, error) { return keyringSecret(ctx, arg) }, true
		if service, name, ok := cutLast(arg, "/"); !ok || service == "" || name == "" {
			return nil, false, cmdline.Usagef("%s: expected keyring:SERVICE/NAME", flag)
		}
	default:
		get = func(context.Context) (string, error) { return string(ref), nil }
	}
	return func(ctx context.Context) (secret.Value, error) {
		ctx, stop := p.limited(ctx, "credential")
		defer stop()
		s, err := get(ctx)
		if err == nil {
			s = strings.TrimSpace(s)
			p.say.Add(s)
			err = usableSecret(s)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", flag, err)
		}
		return secret.Value(s), nil
	}, renewable, nil
}

// usableSecret refuses what cannot travel in a header.
func usableSecret(s string) error {
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

// readSecret reads a file, and warns once when others can read it too.
func (p *program) readSecret(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && info.Mode().IsRegular() && runtime.GOOS != "windows" {
		if _, warned := p.warnedFiles.LoadOrStore(path, true); !warned {
			p.warn("others can read the credential in %s (mode %03o): chmod 600 %[1]s", path, info.Mode().Perm())
		}
	}
	b, err := bounded.File(ctx, path, bounded.Secret)
	return string(b), err
}

// keyringSecret reads an entry of the system's keyring. Its time counts for
// --connect-timeout: unlike a command, it asks nobody.
func keyringSecret(ctx context.Context, arg string) (string, error) {
	service, name, _ := cutLast(arg, "/")
	s, err := tokenstore.Lookup(ctx, service, name)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, tokenstore.ErrLocked):
		return "", withHint(err, "unlock it, in the desktop or with the tool that manages its passwords")
	case is[*bounded.TimeoutError](err):
		return "", err
	case errors.Is(err, tokenstore.ErrNoEntry):
		err := fmt.Errorf("the keyring has no entry %s of %s", name, service)
		if runtime.GOOS == "linux" {
			return "", withHint(err, fmt.Sprintf("'secret-tool store --label=hark service %s username %s' makes it", service, name))
		}
		return "", err
	case err != nil:
		return "", fmt.Errorf("there is no keyring to read %s of %s from: %w", name, service, err)
	}
	return s, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// userPassword reads a user name and a password with a colon between them. The
// password, or both, may be a reference.
func (p *program) userPassword(ctx context.Context, flag, text string) (user, password string, err error) {
	resolve := func(ref string) (string, error) {
		src, _, err := p.source(flag, secretRef(ref))
		if err != nil || src == nil {
			return "", err
		}
		v, err := src(ctx)
		return v.Reveal(), err
	}
	if isReference(text) {
		if text, err = resolve(text); err != nil {
			return "", "", credentialFailure(err)
		}
	}
	user, password, ok := strings.Cut(text, ":")
	if !ok || user == "" {
		return "", "", cmdline.Usagef("%s: expected USER:PASSWORD", flag)
	}
	if isReference(password) {
		if password, err = resolve(password); err != nil {
			return "", "", credentialFailure(err)
		}
	}
	if password != "" {
		p.say.Add(password)
	}
	return user, password, nil
}

// credentialFailure makes the failure to get a credential before there is a stream the
// one that it is later: the exit code does not depend on the flag.
func credentialFailure(err error) error {
	if is[*cmdline.UsageError](err) || is[*signalError](err) || is[*proto.Failure](err) {
		return err
	}
	class := proto.Unreachable
	if is[*proto.OverdueError](err) {
		class = proto.Overdue
	}
	return &proto.Failure{Class: class, Err: err}
}

// runSecret runs a shell command. Its stderr is ours, so that it can say what is
// wrong; it gets no stdin, which may be the user's data. It may ask on a terminal.
func (p *program) runSecret(outer context.Context, command string) (string, error) {
	defer proto.HoldConnectTimeout(outer)()
	ctx, cancel := context.WithTimeout(outer, bounded.Patience)
	defer cancel()
	cmd := process.Shell(ctx, command)
	out, complaint := &bounded.Buffer{Limit: bounded.Secret}, &bounded.Buffer{Limit: bounded.Secret}
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.Env = p.Environ()
	err := process.Run(ctx, cmd, process.Options{Shared: process.OnTerminal(), Drain: secretDrain, Rescue: p.rescues.add})
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

// secretDrain is how long the output of a command is awaited that has ended, and left
// something behind that has its stdout.
const secretDrain = 250 * time.Millisecond
