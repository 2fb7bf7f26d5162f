package main

import (
	"errors"
	"net"
	"os"
	"time"
)

// blockedFor is how long stdout is blocked.
const blockedFor = 20 * time.Second

// blocked returns the peak memory of a client whose stdout is not read while the
// server sends as much as it takes.
func (b *bench) blocked(p client) (int64, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	c := testCase{size: 250}
	pipe, err := start(p.stages(b.server.url(false), c), w, b.environ(c))
	w.Close()
	if err != nil {
		return 0, err
	}
	defer func() {
		pipe.kill()
		_, _ = pipe.wait()
	}()
	ws, err := b.server.next()
	if err != nil {
		return 0, err
	}
	defer ws.Close()
	until := time.Now().Add(blockedFor)
	if err := ws.SetWriteDeadline(until); err != nil {
		return 0, err
	}
	var ne net.Error
	if err := ws.stream(b.load(c.size, false), 1<<30); !errors.As(err, &ne) || !ne.Timeout() {
		return 0, errors.New("the client did not stay while its stdout was blocked")
	}
	return peakNow(pipe.cmds[0].Process.Pid)
}

// growth returns the peak memory of a client after the first and after the tenth
// million events.
func (b *bench) growth(p client, filter string) (first, tenth int64, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, 0, err
	}
	defer null.Close()
	c := testCase{size: 250, filter: filter}
	pipe, err := start(append(p.stages(b.server.url(false), c), []string{"cat"}), null, b.environ(c))
	if err != nil {
		return 0, 0, err
	}
	ws, err := b.server.next()
	if err != nil {
		pipe.kill()
		_, _ = pipe.wait()
		return 0, 0, err
	}
	const million = 1_000_000
	l := b.load(c.size, false)
	if err = ws.stream(l, million); err == nil {
		first, err = peakNow(pipe.cmds[0].Process.Pid)
	}
	if err == nil {
		err = ws.stream(l, 9*million)
	}
	ws.finish()
	used, werr := pipe.wait()
	return first, used[0].peak, errors.Join(err, werr)
}
