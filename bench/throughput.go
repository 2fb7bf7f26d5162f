package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"time"
)

// A testCase is one stream whose throughput is measured.
type testCase struct {
	name     string
	size     int // of a message, in bytes
	events   int // at a client's share of 1
	filter   string
	secure   bool
	deflated bool
	only     []string // the clients that take part; nil for all that can
}

func testCases() []testCase {
	return []testCase{
		{name: "250 B", size: 250, events: 1_000_000},
		{name: "1 KiB", size: 1 << 10, events: 500_000, only: []string{hark, websocat, bare}},
		{name: "64 KiB", size: 64 << 10, events: 20_000, only: []string{hark, websocat, bare}},
		{name: "select", size: 250, events: 250_000, filter: `select(.data.value > 21)`},
		{name: "object", size: 250, events: 250_000, filter: `{id, v: .data.value}`},
		{name: "member", size: 250, events: 500_000, filter: `.data`, only: []string{hark, harkRun}},
		{name: "TLS, 250 B", size: 250, events: 1_000_000, secure: true, only: []string{hark, websocat, bare}},
		{name: "deflate, 250 B", size: 250, events: 200_000, deflated: true, only: []string{hark, wscat}},
	}
}

// A sample is one run of a client.
type sample struct {
	events int
	wall   time.Duration // from the first frame written to the end of the last process
	cpu    time.Duration // of the client, with the filter that stands behind it
	cat    time.Duration // of cat, which reads what they print
	peak   int64         // the client's, in bytes; with a filter the sum
}

func (s sample) rate() float64 { return float64(s.events) / s.wall.Seconds() }

// perMillion is the CPU time in seconds per million events.
func (s sample) perMillion() float64 { return s.cpu.Seconds() / float64(s.events) * 1e6 }

// throughput runs client p on case c, into cat.
func (b *bench) throughput(p client, c testCase) (sample, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return sample{}, err
	}
	defer null.Close()
	n := int(float64(c.events) * p.share)
	stages := append(p.stages(b.server.url(c.secure), c), []string{"cat"})
	wall, used, err := b.stream(stages, null, c, n)
	if err != nil {
		return sample{}, err
	}
	s := sample{events: n, wall: wall}
	for _, u := range used[:len(used)-1] {
		s.cpu += u.cpu
		s.peak += u.peak
	}
	s.cat = used[len(used)-1].cpu
	return s, nil
}

// stream runs the stages and writes n messages to the first of them.
func (b *bench) stream(stages [][]string, stdout *os.File, c testCase, n int) (time.Duration, []usage, error) {
	pipe, err := start(stages, stdout, b.environ(c))
	if err != nil {
		return 0, nil, err
	}
	ws, err := b.server.next()
	if err != nil {
		pipe.kill()
		_, werr := pipe.wait()
		return 0, nil, fmt.Errorf("%w (%v)", err, werr)
	}
	if ws.deflated != c.deflated {
		if c.deflated {
			ws.Close()
			pipe.kill()
			_, _ = pipe.wait()
			return 0, nil, fmt.Errorf("the client does not offer permessage-deflate")
		}
		ws.deflated = false // offered, not used: such a message is not compressed
	}
	l := b.load(c.size, c.deflated)
	began := time.Now()
	if err := ws.stream(l, n); err == nil {
		ws.finish()
	} else {
		ws.Close()
	}
	used, err := pipe.wait()
	return time.Since(began), used, err
}

// check runs client p on a short form of case c and looks at what it prints, so
// that no speed is measured of something that does not do the work.
func (b *bench) check(p client, c testCase) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	var lines [][]byte
	done := make(chan error, 1)
	go func() {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			lines = append(lines, bytes.Clone(bytes.TrimPrefix(scanner.Bytes(), []byte(p.prefix))))
		}
		done <- scanner.Err()
	}()
	const n = 100
	_, _, err = b.stream(p.stages(b.server.url(c.secure), c), w, c, n)
	w.Close()
	if err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	l := b.load(c.size, c.deflated)
	if c.filter == "" {
		return sameLines(lines, cycle(l.messages, n), bytes.Equal)
	}
	// What the filters of the cases make of an event is told here once more, by
	// other means.
	want, err := filtered(c.filter, cycle(l.messages, n))
	if err != nil {
		return err
	}
	return sameLines(lines, want, sameJSON)
}

func cycle(messages [][]byte, n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, messages[i%len(messages)])
	}
	return out
}

func filtered(filter string, messages [][]byte) ([][]byte, error) {
	var out [][]byte
	for _, m := range messages {
		if filter == ".data" {
			var event struct {
				Data json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(m, &event); err != nil {
				return nil, err
			}
			out = append(out, event.Data)
			continue
		}
		var event struct {
			ID   string `json:"id"`
			Data struct {
				Value json.Number `json:"value"`
			} `json:"data"`
		}
		if err := json.Unmarshal(m, &event); err != nil {
			return nil, err
		}
		switch filter {
		case `select(.data.value > 21)`:
			if v, err := event.Data.Value.Float64(); err == nil && v > 21 {
				out = append(out, m)
			}
		case `{id, v: .data.value}`:
			out = append(out, fmt.Appendf(nil, `{"id":%q,"v":%s}`, event.ID, event.Data.Value))
		default:
			return nil, fmt.Errorf("unknown filter %q", filter)
		}
	}
	return out, nil
}

func sameLines(got, want [][]byte, same func(a, b []byte) bool) error {
	if len(got) != len(want) {
		return fmt.Errorf("printed %d lines, want %d", len(got), len(want))
	}
	for i := range got {
		if !same(got[i], want[i]) {
			return fmt.Errorf("line %d is %.80q, want %.80q", i+1, got[i], want[i])
		}
	}
	return nil
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
