package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

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

// secretTimeout bounds a command that gives a credential.
const secretTimeout = 30 * time.Second

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
	if p.noQuestions && (kind == "cmd" || kind == "keyring") {
		return nil, false, usagef("%s: not looked up, it could ask for a password", flag)
	}
	var get func(context.Context) (string, error)
	switch kind {
	case "env":
		v, ok := p.LookupEnv(arg)
		if !ok || v == "" {
			return nil, false, usagef("%s: the environment variable %s is not set", flag, arg)
		}
		get = func(context.Context) (string, error) { return v, nil }
	case "file":
		get, renewable = func(context.Context) (string, error) { return p.readSecret(arg) }, true
		if _, err := get(context.Background()); err != nil {
			return nil, false, usagef("%s: %v", flag, err)
		}
	case "cmd":
		get, renewable = func(ctx context.Context) (string, error) { return p.runSecret(ctx, arg) }, true
	case "keyring":
		get, renewable = func(context.Context) (string, error) { return keyringSecret(arg) }, true
		if service, name, ok := cutLast(arg, "/"); !ok || service == "" || name == "" {
			return nil, false, usagef("%s: expected keyring:SERVICE/NAME", flag)
		}
	default:
		get = func(context.Context) (string, error) { return string(ref), nil }
	}
	return func(ctx context.Context) (secret.Value, error) {
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

// maxSecret is the largest file that is taken for a credential, in bytes.
const maxSecret = 64 << 10

// readSecret reads a file, and warns once when others can read it too.
func (p *program) readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxSecret {
		return "", fmt.Errorf("%s is too large for a credential", path)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && info.Mode().IsRegular() && runtime.GOOS != "windows" {
		if _, warned := p.warnedFiles.LoadOrStore(path, true); !warned {
			p.warn("others can read the credential in %s (mode %03o): chmod 600 %[1]s", path, info.Mode().Perm())
		}
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// keyringSecret reads an entry of the system's keyring.
func keyringSecret(arg string) (string, error) {
	service, name, _ := cutLast(arg, "/")
	s, err := tokenstore.Lookup(service, name)
	switch {
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
			return "", "", usagef("%v", err)
		}
	}
	user, password, ok := strings.Cut(text, ":")
	if !ok || user == "" {
		return "", "", usagef("%s: expected USER:PASSWORD", flag)
	}
	if isReference(password) {
		if password, err = resolve(password); err != nil {
			return "", "", usagef("%v", err)
		}
	}
	if password != "" {
		p.say.Add(password)
	}
	return user, password, nil
}

// runSecret runs a shell command. Its stderr is ours, so that it can say what is
// wrong; it gets no stdin, which may be the user's data.
func (p *program) runSecret(outer context.Context, command string) (string, error) {
	defer proto.HoldConnectTimeout(outer)()
	ctx, cancel := context.WithTimeout(outer, secretTimeout)
	defer cancel()
	cmd := shell(ctx, command)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.Env = p.Environ()
	err := cmd.Run()
	if ctx.Err() != nil && outer.Err() == nil {
		return "", fmt.Errorf("the command gave no answer within %s", secretTimeout)
	}
	if err != nil {
		if lines := strings.TrimSpace(complaint.String()); lines != "" {
			return "", fmt.Errorf("the command failed: %w: %s", err, lines)
		}
		return "", fmt.Errorf("the command failed: %w", err)
	}
	return out.String(), nil
}

// shell is the command that runs a line of the user's shell language.
func shell(ctx context.Context, line string) *exec.Cmd {
	var cmd *exec.Cmd
	if runtime.GOOS == "windows" {
		cmd = exec.CommandContext(ctx, "cmd", "/c", line)
	} else {
		cmd = exec.CommandContext(ctx, "sh", "-c", line)
	}
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	return cmd
}
