// Package console writes messages to stderr, and makes text from outside safe to show.
// It imports only the standard library.
package console

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// queueLimit is the maximum size of waiting lines, in bytes.
	queueLimit = 1 << 20
	// queueGrace is how long a Write waits for a reader that has kept up so far, so
	// that lines stand in the order in which things happened, also alongside stdout.
	queueGrace = 50 * time.Millisecond
	// queueChunk is the maximum size of one write: POSIX writes up to that size to a
	// pipe atomically.
	queueChunk = 4096
)

// A Queue writes lines to a writer that may block, in its own goroutine: a Write blocks
// for queueGrace at most. Lines that do not fit are dropped and counted, and the count
// is written as soon as there is room again. A Queue may be used concurrently.
type Queue struct {
	w    io.Writer
	lost func(lines int) []byte

	mu      sync.Mutex
	waiting []byte
	running bool // a goroutine is writing
	stalled bool // the writer did not keep up, and has not caught up yet
	dropped int  // lines since the last count was written
	err     error
	// progress is closed and replaced after each write.
	progress chan struct{}
}

// NewQueue returns a Queue for w. lost returns the line that reports how many lines
// were dropped; it is called without locks of the Queue.
func NewQueue(w io.Writer, lost func(lines int) []byte) *Queue {
	return &Queue{w: w, lost: lost, progress: make(chan struct{})}
}

// SetLost replaces the function for the line about dropped lines.
func (q *Queue) SetLost(lost func(lines int) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost = lost
}

// Write queues one or more complete lines. The error is that of an earlier write, after
// which nothing is written any more.
func (q *Queue) Write(lines []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0, q.err
	}
	if len(q.waiting)+len(lines) > queueLimit {
		q.dropped += bytes.Count(lines, []byte("\n"))
		return len(lines), nil
	}
	q.waiting = append(q.waiting, lines...)
	if !q.running {
		q.running = true
		go q.run()
	}
	if !q.stalled && !q.wait(queueGrace, false) {
		q.stalled = true
	}
	return len(lines), q.err
}

// Flush waits until everything is written, as long as the writer makes progress within
// limit, and reports whether all was written.
func (q *Queue) Flush(limit time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait(limit, true)
}

// wait waits until nothing is left to write, for at most limit or, if slow, until
// nothing was written for that time. q.mu must be held; it is released while waiting.
func (q *Queue) wait(limit time.Duration, slow bool) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for q.running {
		progress := q.progress
		q.mu.Unlock()
		select {
		case <-progress:
			q.mu.Lock()
		case <-timer.C:
			q.mu.Lock()
			return !q.running
		}
		if slow {
			timer.Reset(limit)
		}
	}
	return q.err == nil
}

// run writes until the queue is empty.
func (q *Queue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && q.err == nil {
		chunk := wholeLines(q.waiting)
		q.mu.Unlock()
		_, err := q.w.Write(chunk)
		q.mu.Lock()
		q.waiting = q.waiting[len(chunk):]
		if q.err = err; err == nil && len(q.waiting) == 0 && q.dropped > 0 {
			n, lost := q.dropped, q.lost
			q.dropped = 0
			q.mu.Unlock()
			line := lost(n)
			q.mu.Lock()
			q.waiting = append(q.waiting, line...)
		}
		if len(q.waiting) == 0 || q.err != nil {
			q.running, q.stalled = false, false
			q.waiting = nil // it may have grown large
		}
		close(q.progress)
		q.progress = make(chan struct{})
	}
}

// wholeLines returns the start of b to write next: as many lines as fit into a chunk,
// or one longer line.
func wholeLines(b []byte) []byte {
	if len(b) <= queueChunk {
		return b[:len(b):len(b)]
	}
	end := bytes.LastIndexByte(b[:queueChunk], '\n') + 1
	if end == 0 {
		if end = bytes.IndexByte(b, '\n') + 1; end == 0 {
			end = len(b)
		}
	}
	return b[:end:end]
}
