package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A pipeline is a row of processes, each of which reads what the one before it
// writes. Its first one is a client, which gets a stdin that never ends: some
// clients take the end of stdin for the end of everything.
type pipeline struct {
	cmds  []*exec.Cmd
	stdin *os.File
	errs  strings.Builder // what the first says on stderr

	peaks   []int64 // resident memory of each at its highest, in bytes
	watched sync.WaitGroup
	ended   chan struct{}
}

// start runs the stages; the last one writes to stdout. environ is added to the
// environment.
func start(stages [][]string, stdout *os.File, environ []string) (*pipeline, error) {
	p := &pipeline{ended: make(chan struct{}), peaks: make([]int64, len(stages))}
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	for i, argv := range stages {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), environ...)
		cmd.Stdin = in
		out, next := stdout, (*os.File)(nil)
		if i < len(stages)-1 {
			if next, out, err = os.Pipe(); err != nil {
				p.kill()
				return nil, err
			}
		}
		cmd.Stdout = out
		if i == 0 {
			cmd.Stderr = &limited{w: &p.errs, left: 2000}
		}
		err := cmd.Start()
		in.Close()
		if out != stdout {
			out.Close()
		}
		if err != nil {
			p.kill()
			return nil, err
		}
		p.cmds = append(p.cmds, cmd)
		in = next
	}
	p.watched.Go(p.watch)
	return p, nil
}

// watch looks at the memory of the processes until they have ended. What the
// system tells after their end counts the memory of the process that started
// them.
func (p *pipeline) watch() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for i, cmd := range p.cmds {
			if peak, err := peakNow(cmd.Process.Pid); err == nil {
				p.peaks[i] = peak
			}
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return
		}
	}
}

// wait waits for all processes and returns what they used, in their order.
func (p *pipeline) wait() ([]usage, error) {
	timer := time.AfterFunc(10*patience, p.kill)
	defer timer.Stop()
	defer p.stdin.Close()
	var err error
	used := make([]usage, len(p.cmds))
	for i, cmd := range p.cmds {
		if werr := cmd.Wait(); werr != nil && err == nil {
			err = fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), werr, strings.TrimSpace(p.errs.String()))
		}
		used[i].cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	close(p.ended)
	p.watched.Wait()
	for i := range used {
		used[i].peak = p.peaks[i]
	}
	return used, err
}

func (p *pipeline) kill() {
	for _, cmd := range p.cmds {
		_ = cmd.Process.Kill()
	}
}

// A usage is what a process used.
type usage struct {
	cpu  time.Duration
	peak int64 // resident memory at its highest, in bytes
}

// limited writes no more than left bytes, and forgets the rest.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, err := l.w.Write(p[:n])
	return len(p), err
}

// peakNow returns the highest resident memory of a running process so far, in
// bytes.
func peakNow(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int64
			if _, err := fmt.Sscan(text, &kib); err != nil {
				return 0, err
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("/proc has no VmHWM")
}

// median returns the middle of values, the lower one of two.
func median[T int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[(len(s)-1)/2]
}

// percentile returns the value below which p of 100 lie.
func percentile(values []time.Duration, p int) time.Duration {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(len(s)*p/100, len(s)-1)]
}
