package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A sinkServer is a web server that takes all that is posted to it.
type sinkServer struct {
	url    string
	server http.Server

	mu   sync.Mutex
	want [][]byte // what is to come, over and over
	got  int
	bad  error
}

func newSinkServer(want [][]byte) (*sinkServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sinkServer{url: "http://" + l.Addr().String() + "/", want: want}
	s.server.Handler = s
	go func() { _ = s.server.Serve(l) }() // until Close
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *sinkServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := s.want[s.got%len(s.want)]; err == nil && !bytes.Equal(bytes.TrimSuffix(body, []byte("\n")), want) {
		err = fmt.Errorf("event %d is %.80q, want %.80q", s.got+1, body, want)
	}
	if s.bad == nil {
		s.bad = err
	}
	s.got++
	w.WriteHeader(http.StatusNoContent)
}

// received returns an error unless n events have come, as they should.
func (s *sinkServer) received(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == nil && s.got != n {
		return fmt.Errorf("%d events came, want %d", s.got, n)
	}
	return s.bad
}

// measureDelivery measures hark --to alongside a script that runs curl for each event,
// both to a web server on this machine, one request after the other.
func (b *bench) measureDelivery() {
	const script = "webhook.sh with curl"
	p := b.client(hark)
	bin := filepath.Join(b.folder, "bin")
	path, err := filepath.Abs(p.path)
	if err == nil {
		err = os.Mkdir(bin, 0o700)
	}
	if err == nil {
		err = os.Symlink(path, filepath.Join(bin, "hark"))
	}
	if err != nil {
		b.note("delivery: %v", err)
		return
	}
	programs := []struct {
		name   string
		events int
		argv   func(to string) []string
	}{
		{hark, 20_000, func(to string) []string { return []string{p.path, "connect", b.server.url(false), "--to", to} }},
		{script, 400, func(to string) []string {
			return []string{"env", "PATH=" + bin + ":" + os.Getenv("PATH"), "bash", "bench/webhook.sh", to, "connect", b.server.url(false)}
		}},
	}
	rates := map[string][]float64{}
	for range b.rounds {
		for _, program := range programs {
			took, err := b.delivered(program.argv, program.events)
			if err != nil {
				b.note("delivery: %s: %v", program.name, err)
				continue
			}
			rate := float64(program.events) / took.Seconds()
			b.say("delivery       %-20s %8.0f events/s", program.name, rate)
			rates[program.name] = append(rates[program.name], rate)
		}
	}
	if len(rates[hark]) > 0 && len(rates[script]) > 0 {
		own, other := median(rates[hark]), median(rates[script])
		b.rows = append(b.rows, row{what: "to a web server, 250 B: events/s", hark: count(own), peer: count(other) + " " + script, ratio: own / other, bar: least(20)})
	}
}

// delivered returns how long a program takes to deliver n events.
func (b *bench) delivered(argv func(to string) []string, n int) (time.Duration, error) {
	c := testCase{name: "delivery", size: 250}
	web, err := newSinkServer(b.load(c.size, false).messages)
	if err != nil {
		return 0, err
	}
	defer web.server.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	took, _, err := b.stream([][]string{argv(web.url)}, null, c, n)
	if err != nil {
		return 0, err
	}
	return took, web.received(n)
}
