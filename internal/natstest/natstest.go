// Package natstest starts the real NATS server, the program that "make deps" builds, for
// tests.
package natstest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/freeport"
)

// A Server is a NATS server with JetStream.
type Server struct {
	// Address is HOST:PORT. It stays the same after Stop and Start.
	Address string

	t       testing.TB
	program string
	config  string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// New starts a server. config is added to its configuration. It skips the test if the
// program is missing.
func New(t testing.TB, config string) *Server {
	t.Helper()
	program := Program()
	if program == "" {
		fmt.Println("skipped: nats-server is missing")
		t.Skip("nats-server is missing: run make deps")
	}
	address, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	s := &Server{Address: address, t: t, program: program, config: filepath.Join(folder, "nats.conf")}
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q }\n%s\n", address, filepath.ToSlash(filepath.Join(folder, "store")), config)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Program returns the path of the server, "" if "make deps" has not built it.
func Program() string {
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", ".deps", "nats-server")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Start starts the server again after Stop, and waits until it is ready.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "-c", s.config)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan struct{})
	s.ended = make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(s.ended)
		is := false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if is {
				continue // read on, or the server would wait
			}
			fmt.Fprintln(&log, lines.Text())
			if is = strings.HasSuffix(lines.Text(), "Server is ready"); is {
				close(ready)
			}
		}
	}()
	select {
	case <-ready:
	case <-s.ended:
		s.t.Fatalf("nats-server: %v\n%s", s.cmd.Wait(), &log)
	}
}

// Stop kills the server. What it has acknowledged is in its files.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	_ = s.cmd.Wait()
	s.cmd = nil
}
