package tokenstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/zalando/go-keyring"
)

// fakeRing is a keyring, or a missing one.
type fakeRing struct {
	values map[string]string
	broken error
	hangs  chan struct{}
}

func (r *fakeRing) get(key string) (string, error) {
	if r.hangs != nil {
		<-r.hangs
	}
	if r.broken != nil {
		return "", r.broken
	}
	v, ok := r.values[key]
	if !ok {
		return "", keyring.ErrNotFound
	}
	return v, nil
}

func (r *fakeRing) set(key, value string) error {
	if r.broken != nil {
		return r.broken
	}
	if len(value) > 100 {
		return keyring.ErrSetDataTooBig
	}
	r.values[key] = value
	return nil
}

func (r *fakeRing) remove(key string) error {
	if _, err := r.get(key); err != nil {
		return err
	}
	delete(r.values, key)
	return nil
}

func openTest(t *testing.T, place Place, r ring) *Store {
	s := Open(filepath.Join(t.TempDir(), "not", "there"), place)
	s.ring = r
	return s
}

func TestStore(t *testing.T) {
	ctx := t.Context()
	for _, place := range []Place{Auto, Keyring, File} {
		t.Run(string(place), func(t *testing.T) {
			r := &fakeRing{values: map[string]string{}}
			s := openTest(t, place, r)
			if _, err := s.Get(ctx, "a"); !errors.Is(err, ErrNone) {
				t.Errorf("empty: %v", err)
			}
			if found, err := s.Delete(ctx, "a"); found || err != nil {
				t.Errorf("delete from empty: %v, %v", found, err)
			}
			for _, v := range []string{`{"n":1}`, `{"n":2}`} {
				if _, err := s.Put(ctx, "a", json.RawMessage(v)); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Put(ctx, "b", json.RawMessage(`"other"`)); err != nil {
					t.Fatal(err)
				}
				got, err := s.Get(ctx, "a")
				if err != nil || !sameJSON(string(got), v) {
					t.Errorf("%s, %v, want %s", got, err, v)
				}
			}
			if (len(r.values) == 2) != (place != File) {
				t.Errorf("the keyring has %v", r.values)
			}
			_, err := os.Stat(s.path())
			if (err == nil) != (place == File) {
				t.Errorf("file: %v", err)
			}
			if found, err := s.Delete(ctx, "a"); !found || err != nil {
				t.Errorf("delete: %v, %v", found, err)
			}
			if _, err := s.Get(ctx, "a"); !errors.Is(err, ErrNone) {
				t.Errorf("deleted: %v", err)
			}
			if v, err := s.Get(ctx, "b"); string(v) != `"other"` {
				t.Errorf("the other: %s, %v", v, err)
			}
		})
	}
}

func sameJSON(a, b string) bool {
	return strings.Join(strings.Fields(a), "") == strings.Join(strings.Fields(b), "")
}

// Without a keyring, and for values that do not fit into it, the file is used, which
// only its owner can read. The value stored last is returned, wherever it is.
func TestFallback(t *testing.T) {
	ctx := t.Context()
	r := &fakeRing{values: map[string]string{}}
	s := openTest(t, Auto, r)
	put := func(v string) (where string) {
		t.Helper()
		where, err := s.Put(ctx, "a", json.RawMessage(v))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, "a"); err != nil || !sameJSON(string(got), v) {
			t.Errorf("%s, %v, want %s", got, err, v)
		}
		return where
	}
	if where := put("1"); where != "the keyring" {
		t.Errorf("stored in %s", where)
	}
	r.broken = errors.New("exec: dbus-launch: not found")
	if where := put("2"); where != s.path() {
		t.Errorf("stored in %s", where)
	}
	if info, err := os.Stat(s.path()); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(s.folder); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o700) {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	r.broken = nil
	put(`"` + strings.Repeat("x", 200) + `"`)
	if where := put("3"); where != "the keyring" {
		t.Errorf("stored in %s", where)
	}
	if b, err := os.ReadFile(s.path()); err != nil || sameJSON(string(b), "{}") == false {
		t.Errorf("left in the file: %s, %v", b, err)
	}
	s.place, r.broken = Keyring, errors.New("locked")
	if _, err := s.Put(ctx, "a", json.RawMessage("4")); err == nil || err.Error() != "keyring: locked" {
		t.Error(err)
	}
	if _, err := s.Get(ctx, "a"); err == nil || err.Error() != "keyring: locked" {
		t.Error(err)
	}
}

// A keyring that hangs is treated as missing.
func TestHangingKeyring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRing{hangs: make(chan struct{})}
		s := openTest(t, Auto, r)
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("interrupted"))
		if _, err := s.Get(ctx, "a"); err == nil || !strings.HasSuffix(err.Error(), "interrupted") {
			t.Error(err)
		}
		close(r.hangs)
	})
}

func TestDamagedFile(t *testing.T) {
	s := openTest(t, File, nil)
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "remove it and log in again") {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), "a", json.RawMessage("1")); err == nil {
		t.Error("a damaged file was written over")
	}
}

// Concurrent writers lose nothing.
func TestConcurrentWriters(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes do not wait for each other")
	}
	folder := t.TempDir()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			s := Open(folder, File)
			if _, err := s.Put(t.Context(), fmt.Sprint(i), json.RawMessage("1")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := Open(folder, File).read(t.Context())
	if err != nil || len(all) != 20 {
		t.Errorf("%d values, %v", len(all), err)
	}
}

func TestLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes do not wait for each other")
	}
	s := openTest(t, File, nil)
	unlock, err := s.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a second lock: %v", err)
	}
	other, err := s.Lock(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	unlock()
	again, err := s.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
}
