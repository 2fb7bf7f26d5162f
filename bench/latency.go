package main

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

const (
	latencyRate  = 1000 // events per second
	latencyCount = 4000
)

// latency measures, for each of many events at a moderate rate, the time from the
// server's write to the moment that its line can be read from the client's stdout.
func (b *bench) latency(p client) ([]time.Duration, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c := testCase{size: 250}
	pipe, err := start(p.stages(b.server.url(false), c), w, b.environ(c))
	w.Close()
	if err != nil {
		return nil, err
	}
	ws, err := b.server.next()
	if err != nil {
		pipe.kill()
		_, _ = pipe.wait()
		return nil, err
	}

	seen := make(chan []time.Time, 1)
	go func() {
		times := make([]time.Time, 0, latencyCount)
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Read(buf)
			now := time.Now()
			for range bytes.Count(buf[:n], []byte{'\n'}) {
				times = append(times, now)
			}
			if err != nil {
				seen <- times
				return
			}
		}
	}()

	l := b.load(c.size, false)
	sent := make([]time.Time, latencyCount)
	began := time.Now()
	for i := range sent {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / latencyRate)))
		sent[i] = time.Now()
		if _, err := ws.Write(l.cut(i%len(l.messages), 1)); err != nil {
			break
		}
	}
	ws.finish()
	_, err = pipe.wait()
	got := <-seen
	if err != nil {
		return nil, err
	}
	if len(got) != len(sent) {
		return nil, fmt.Errorf("%d lines for %d events", len(got), len(sent))
	}
	var out []time.Duration
	for i := range sent {
		out = append(out, got[i].Sub(sent[i]))
	}
	return out, nil
}
