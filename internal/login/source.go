package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/tokenstore"
)

// ErrNone means that there is no login.
var ErrNone = errors.New("not logged in")

// An EndedError reports that the provider no longer renews the login.
type EndedError struct{ Err error }

func (e *EndedError) Error() string { return fmt.Sprintf("the login has ended: %v", e.Err) }
func (e *EndedError) Unwrap() error { return e.Err }

// A Keeper stores the login of one provider and renews its token. It may be used
// concurrently, also by several processes with the same store.
type Keeper struct {
	Store *tokenstore.Store
	// Key is the key of the login in the store.
	Key string
	// Client sends the requests to the provider.
	Client *http.Client
	// Secret is called with each credential before it is used, Warn with problems that
	// do not prevent returning a token.
	Secret func(value string)
	Warn   func(text string)
}

// Load returns the stored login, or ErrNone.
func (k *Keeper) Load(ctx context.Context) (*Login, error) {
	b, err := k.Store.Get(ctx, k.Key)
	if errors.Is(err, tokenstore.ErrNone) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	var l Login
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, errors.New("the stored login cannot be read")
	}
	k.register(&l)
	return &l, nil
}

// Save stores a login and returns where.
func (k *Keeper) Save(ctx context.Context, l *Login) (where string, err error) {
	k.register(l)
	b, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	return k.Store.Put(ctx, k.Key, b)
}

func (k *Keeper) register(l *Login) {
	if k.Secret != nil {
		k.Secret(l.AccessToken)
		k.Secret(l.RefreshToken)
	}
}

// Token returns an access token that is valid for some more time, and renews it if
// required. A new refresh token is stored before the old one, which may have become
// invalid, is dropped. The error is ErrNone or an *EndedError if the user must log in.
func (k *Keeper) Token(ctx context.Context) (secret.Value, error) {
	l, err := k.Load(ctx)
	if err != nil {
		return "", err
	}
	if l.fresh(time.Now()) {
		return secret.Value(l.AccessToken), nil
	}
	// Another process may renew it at the same time; a refresh token can be used once.
	sum := sha256.Sum256([]byte(k.Key))
	unlock, err := k.Store.Lock(ctx, "login-"+hex.EncodeToString(sum[:8]))
	if err != nil {
		return "", fmt.Errorf("the stored login: %w", err)
	}
	defer unlock()
	if l, err = k.Load(ctx); err != nil {
		return "", err
	}
	if l.fresh(time.Now()) {
		return secret.Value(l.AccessToken), nil
	}
	if l.RefreshToken == "" {
		return "", &EndedError{errors.New("the server gave no refresh token")}
	}
	if err := k.renew(ctx, l); err != nil {
		return "", err
	}
	return secret.Value(l.AccessToken), nil
}

// renewTimeout is the time limit of a renewal.
const renewTimeout = 10 * time.Second

// renew renews a login and stores it. Once requested, the provider may have replaced
// the refresh token, so renew waits for the response even if ctx is done.
func (k *Keeper) renew(ctx context.Context, l *Login) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	rctx, cancel := context.WithTimeoutCause(ctx, renewTimeout, fmt.Errorf("no answer within %s", renewTimeout))
	defer cancel()
	if err := renew(rctx, k.Client, l); err != nil {
		if r, ok := errors.AsType[*RefusedError](err); ok && r.Final() {
			return &EndedError{err}
		}
		return err
	}
	if _, err := k.Save(ctx, l); err != nil && k.Warn != nil {
		k.Warn(fmt.Sprintf("the renewed login could not be stored: %v", err))
	}
	return nil
}

// Forget removes the stored login and returns it, or ErrNone.
func (k *Keeper) Forget(ctx context.Context) (*Login, error) {
	l, err := k.Load(ctx)
	if errors.Is(err, ErrNone) {
		return nil, err
	}
	// A login that cannot be read can still be removed.
	found, derr := k.Store.Delete(ctx, k.Key)
	switch {
	case derr != nil:
		return nil, derr
	case err != nil && !found:
		return nil, err
	}
	return l, nil
}
