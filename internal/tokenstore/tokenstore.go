// Package tokenstore stores logins: in the keyring of the desktop or, without one, in a
// file that only its owner can read. It does not interpret the stored values.
package tokenstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/zalando/go-keyring"
)

// A Place is where logins are stored.
type Place string

const (
	Auto    Place = "auto" // the keyring, or the file without a keyring
	Keyring Place = "keyring"
	File    Place = "file"
)

// ErrNone is returned by Get if there is no value for the key.
var ErrNone = errors.New("nothing is stored")

// A Store stores values by key. It may be used by several processes at the same time.
type Store struct {
	folder string
	place  Place
	ring   ring
}

// Open returns the store whose file is in folder, which need not exist.
func Open(folder string, place Place) *Store {
	return &Store{folder: folder, place: place, ring: systemRing{}}
}

// A ring is the keyring of a desktop.
type ring interface {
	get(key string) (string, error)
	set(key, value string) error
	remove(key string) error
}

// service is the service name of hark's entries in the keyring.
const service = "hark"

type systemRing struct{}

func (systemRing) get(key string) (string, error) { return keyring.Get(service, key) }
func (systemRing) set(key, value string) error    { return keyring.Set(service, key, value) }
func (systemRing) remove(key string) error        { return keyring.Delete(service, key) }

// patiently calls a function of the keyring, which may ask the user for a password, or
// hang, and cannot be interrupted.
func patiently(ctx context.Context, f func() error) error {
	_, err := bounded.Call(ctx, "the keyring", func() (struct{}, error) { return struct{}{}, f() })
	return explain(err)
}

// ErrLocked is returned for a locked keyring.
var ErrLocked = errors.New("the keyring is locked")

// explain recognizes a locked keyring by the messages of the Secret Service.
func explain(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, sign := range []string{"IsLocked", "failed to unlock", "is locked", "User interaction is not allowed"} {
		if strings.Contains(text, sign) {
			return ErrLocked
		}
	}
	return err
}

// Get returns the value for key, or ErrNone.
func (s *Store) Get(ctx context.Context, key string) (json.RawMessage, error) {
	// A value in the file is newer than one in the keyring: storing in the keyring
	// removes it from the file.
	if s.place != Keyring {
		all, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		if v, ok := all[key]; ok {
			return v, nil
		}
	}
	if s.place == File {
		return nil, ErrNone
	}
	var value string
	err := patiently(ctx, func() (err error) {
		value, err = s.ring.get(key)
		return err
	})
	switch {
	case err == nil:
		return json.RawMessage(value), nil
	case errors.Is(err, keyring.ErrNotFound), s.place == Auto && ctx.Err() == nil:
		return nil, ErrNone
	}
	return nil, fmt.Errorf("keyring: %w", err)
}

// Put stores value for key and returns where: "the keyring" or the name of the file.
func (s *Store) Put(ctx context.Context, key string, value json.RawMessage) (where string, err error) {
	if s.place != File {
		err := patiently(ctx, func() error { return s.ring.set(key, string(value)) })
		switch {
		case err == nil && s.place == Auto:
			return "the keyring", s.change(ctx, func(all map[string]json.RawMessage) { delete(all, key) })
		case err == nil:
			return "the keyring", nil
		case s.place == Keyring:
			return "", fmt.Errorf("keyring: %w", err)
		case ctx.Err() != nil:
			return "", err
		}
	}
	return s.path(), s.change(ctx, func(all map[string]json.RawMessage) { all[key] = value })
}

// Delete removes the value for key, wherever it is. found reports whether there was
// one.
func (s *Store) Delete(ctx context.Context, key string) (found bool, err error) {
	if s.place != File {
		err := patiently(ctx, func() error { return s.ring.remove(key) })
		if err != nil && !errors.Is(err, keyring.ErrNotFound) && s.place == Keyring {
			return false, fmt.Errorf("keyring: %w", err)
		}
		found = err == nil
	}
	if s.place == Keyring {
		return found, nil
	}
	err = s.change(ctx, func(all map[string]json.RawMessage) {
		_, here := all[key]
		found = found || here
		delete(all, key)
	})
	return found, err
}

func (s *Store) path() string { return filepath.Join(s.folder, "logins.json") }

// read reads the file; a missing one is empty.
func (s *Store) read(ctx context.Context) (map[string]json.RawMessage, error) {
	b, err := bounded.File(ctx, s.path(), bounded.Certificates)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w); remove it and log in again", s.path(), err)
	}
	return all, nil
}

// change replaces the file atomically, unless there is nothing to change. Only its
// owner can read it.
func (s *Store) change(ctx context.Context, f func(map[string]json.RawMessage)) error {
	if _, err := os.Stat(s.path()); errors.Is(err, fs.ErrNotExist) {
		all := make(map[string]json.RawMessage)
		if f(all); len(all) == 0 {
			return nil
		}
	}
	unlock, err := s.Lock(ctx, "file")
	if err != nil {
		return err
	}
	defer unlock()
	all, err := s.read(ctx)
	if err != nil {
		return err
	}
	if all == nil {
		all = make(map[string]json.RawMessage)
	}
	f(all)
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(s.folder, ".logins-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(append(b, '\n'))
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temp.Name(), s.path())
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// Lock acquires the lock of that name, waiting for other processes. It is for actions
// that must not run concurrently, such as redeeming a refresh token.
func (s *Store) Lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.folder, name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		ok, err := tryLock(f)
		if ok {
			return func() { f.Close() }, nil // which releases the lock
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// ErrNoEntry is returned if the keyring has no such entry.
var ErrNoEntry = keyring.ErrNotFound

// Lookup returns an entry of the system's keyring that is not hark's. The error is
// ErrNoEntry, ErrLocked, a *bounded.TimeoutError, the cause of ctx, or that of a
// missing keyring.
func Lookup(ctx context.Context, service, name string) (value string, err error) {
	value, err = bounded.Call(ctx, "the keyring", func() (string, error) { return keyring.Get(service, name) })
	return value, explain(err)
}
