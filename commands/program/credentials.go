package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
)

// Source returns a source of the credential, or reference to one, in the value of flag;
// nil for an empty one. renewable reports whether it may return a new value later.
func (p *Program) Source(flag string, ref string) (src proto.TokenSource, renewable bool, err error) {
	if ref == "" {
		return nil, false, nil
	}
	open := p.OpenReference
	if p.Reference != nil && credential.IsReference(ref) {
		open = p.Reference
	}
	get, renewable, err := open(flag, ref)
	if err != nil {
		return nil, false, err
	}
	return func(ctx context.Context) (secret.Value, error) {
		ctx, stop := p.Limited(ctx, "credential")
		defer stop()
		s, err := get(ctx)
		if err == nil {
			s = strings.TrimSpace(s)
			p.Say.Add(s)
			err = credential.Usable(s)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", flag, keyringHint(err))
		}
		return secret.Value(s), nil
	}, renewable, nil
}

// A Getter returns a credential. It may be called repeatedly.
type Getter = func(context.Context) (string, error)

// OpenReference opens the value of a flag: a credential, or a reference to one.
func (p *Program) OpenReference(flag, ref string) (get Getter, renewable bool, err error) {
	get, renewable, err = p.references().Open(ref)
	if err != nil {
		return nil, false, cmdline.FlagErrorf(flag, ": %v", err)
	}
	return get, renewable, nil
}

// references returns what opens references to credentials.
func (p *Program) references() *credential.References {
	return &credential.References{
		LookupEnv: p.LookupEnv, Environ: p.Environ, Hold: proto.HoldConnectTimeout, Rescue: p.Rescues.Add,
		Exposed: func(path string, mode fs.FileMode) {
			if _, warned := p.warnedFiles.LoadOrStore(path, true); !warned {
				p.Warn("others can read the credential in %s (mode %03o): chmod 600 %[1]s", path, mode)
			}
		},
	}
}

// keyringHint adds a hint to a failure of the keyring.
func keyringHint(err error) error {
	e, missing := errors.AsType[*credential.NoEntryError](err)
	switch {
	case errors.Is(err, tokenstore.ErrLocked):
		return ending.WithHint(err, "unlock it, in the desktop or with the tool that manages its passwords")
	case missing && runtime.GOOS == "linux":
		return ending.WithHint(err, fmt.Sprintf("'secret-tool store --label=hark service %s username %s' makes it", e.Service, e.Name))
	}
	return err
}

// UserPassword parses a user name and a password with a colon between them. The
// password, or both, may be a reference.
func (p *Program) UserPassword(ctx context.Context, flag, text string) (user, password string, err error) {
	resolve := func(ref string) (string, error) {
		src, _, err := p.Source(flag, ref)
		if err != nil || src == nil {
			return "", err
		}
		v, err := src(ctx)
		return v.Reveal(), err
	}
	if credential.IsReference(text) {
		if text, err = resolve(text); err != nil {
			return "", "", CredentialFailure(err)
		}
	}
	user, password, ok := strings.Cut(text, ":")
	if !ok || user == "" {
		return "", "", cmdline.FlagErrorf(flag, ": expected USER:PASSWORD")
	}
	if credential.IsReference(password) {
		if password, err = resolve(password); err != nil {
			return "", "", CredentialFailure(err)
		}
	}
	if password != "" {
		p.Say.Add(password)
	}
	return user, password, nil
}

// CredentialFailure converts a failure to get a credential before the stream starts to
// that of a stream, so that the exit code is the same.
func CredentialFailure(err error) error {
	if ending.Is[*cmdline.UsageError](err) || ending.Is[*process.SignalError](err) || ending.Is[*proto.Failure](err) {
		return err
	}
	class := proto.Unreachable
	if ending.Is[*proto.TimeoutError](err) {
		class = proto.TimedOut
	}
	return &proto.Failure{Class: class, Err: err}
}
