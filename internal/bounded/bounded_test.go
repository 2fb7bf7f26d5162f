package bounded

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if v, err := Call(t.Context(), "x", func() (int, error) { time.Sleep(29 * time.Second); return 7, nil }); v != 7 || err != nil {
			t.Errorf("slow: %d, %v", v, err)
		}
		release := make(chan struct{})
		stuck := func() (int, error) { <-release; return 0, nil }
		start := time.Now()
		_, err := Call(t.Context(), "the keyring", stuck)
		if _, ok := errors.AsType[*TimeoutError](err); !ok || time.Since(start) != Patience || err.Error() != "the keyring gave no answer within 30s" {
			t.Errorf("stuck: %v after %s", err, time.Since(start))
		}
		cause := errors.New("the user has had enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start = time.Now()
		if _, err := Call(ctx, "x", stuck); err != cause || time.Since(start) != time.Second {
			t.Errorf("canceled: %v after %s", err, time.Since(start))
		}
		close(release)
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := File(t.Context(), path, 100); len(b) != 100 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	for name, limit := range map[string]int{path: 99, "/dev/zero": Secret} {
		if _, err := os.Stat(name); err != nil {
			continue
		}
		if _, err := File(t.Context(), name, limit); !isTooLarge(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := File(t.Context(), path+"x", 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
}

// Canceling the context ends a blocked read, and data read before is not lost.
func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the user has had enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		in, out := io.Pipe()
		defer out.Close()
		r := Reader(ctx, in)
		defer r.Close()
		go out.Write([]byte("abc"))
		b := make([]byte, 2)
		for _, want := range []string{"ab", "c"} {
			if n, err := r.Read(b); string(b[:n]) != want || err != nil {
				t.Errorf("%q, %v; want %q", b[:n], err, want)
			}
		}
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if n, err := r.Read(b); n != 0 || err != cause {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := r.Read(b); n != 0 || err != cause {
			t.Errorf("again: %d, %v", n, err)
		}
		in.Close()
	})
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*TooLargeError](err)
	return ok
}
