package main

import (
	"io"
	"os"
	"time"
)

// startup measures the time from exec to the exit of a client that connects, gets
// one event and the end of the stream, and prints it.
func (b *bench) startup(p client) (time.Duration, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	defer w.Close()
	c := testCase{size: 250}
	began := time.Now()
	if _, _, err := b.stream(p.stages(b.server.url(false), c), w, c, 1); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}
