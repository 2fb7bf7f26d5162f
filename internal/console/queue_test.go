package console

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A reader is the other end of a stderr, which reads only while it is not stopped.
type reader struct {
	mu      sync.Mutex
	stopped chan struct{} // nil: reads on
	got     bytes.Buffer
	writes  []int
	err     error
}

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	r.writes = append(r.writes, len(b))
	return r.got.Write(b)
}

func (r *reader) stop() { r.mu.Lock(); r.stopped = make(chan struct{}); r.mu.Unlock() }
func (r *reader) goOn() { r.mu.Lock(); close(r.stopped); r.stopped = nil; r.mu.Unlock() }

func lost(n int) []byte { return fmt.Appendf(nil, "lost %d\n", n) }

// While the reader keeps up, a line is written when Write returns: lines of stderr
// and of stdout stand in their order.
func TestQueueKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reader
		q := NewQueue(&r, lost)
		for i := range 100 {
			fmt.Fprintf(q, "line %d\n", i)
			if want := fmt.Sprintf("line %d\n", i); !strings.HasSuffix(r.got.String(), want) {
				t.Fatalf("%q is not written when Write returns", want)
			}
		}
	})
}

// A reader that stops does not block the writer, and dropped lines are reported.
func TestQueueWithAStoppedReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reader
		q := NewQueue(&r, lost)
		r.stop()
		start := time.Now()
		line := strings.Repeat("x", 99) + "\n"
		const lines = 3 * queueLimit / 100
		for range lines {
			if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
		}
		if d := time.Since(start); d != queueGrace {
			t.Errorf("the writer was held up for %s, want %s", d, queueGrace)
		}
		if q.Flush(time.Second) {
			t.Error("Flush: all was written to a reader that does not read")
		}
		r.goOn()
		if !q.Flush(time.Second) {
			t.Error("Flush: not all was written")
		}
		got, count, _ := strings.Cut(r.got.String(), "lost ")
		var missing int
		if _, err := fmt.Sscanf(count, "%d\n", &missing); err != nil || strings.Count(got, line)+missing != lines || missing == 0 {
			t.Errorf("%d lines arrived, %q are missing, of %d", strings.Count(got, line), count, lines)
		}
		for _, n := range r.writes {
			if n > queueChunk {
				t.Errorf("%d bytes were written at once", n)
			}
		}
		// It has caught up, so writers wait for it again.
		q.Write([]byte("again\n"))
		if !strings.HasSuffix(r.got.String(), "again\n") {
			t.Errorf("the last line is not written when Write returns: %q", r.got.String()[r.got.Len()-20:])
		}
	})
}

// Flush waits for a slow reader that makes progress.
func TestQueueWithASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r slowReader
		q := NewQueue(&r, lost)
		for range 1000 {
			q.Write([]byte(strings.Repeat("x", 99) + "\n"))
		}
		if !q.Flush(2 * time.Second) {
			t.Error("Flush: not all was written")
		}
		if r.n != 100_000 {
			t.Errorf("%d bytes were written", r.n)
		}
	})
}

type slowReader struct{ n int }

func (r *slowReader) Write(b []byte) (int, error) {
	time.Sleep(time.Second)
	r.n += len(b)
	return len(b), nil
}

func TestQueueAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("closed")
		q := NewQueue(&reader{err: failed}, lost)
		for range 3 {
			if _, err := q.Write([]byte("x\n")); err != failed {
				t.Errorf("Write: %v", err)
			}
		}
		if q.Flush(time.Second) {
			t.Error("Flush: all was written")
		}
	})
}
