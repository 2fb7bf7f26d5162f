// Package health serves, over HTTP, what a monitor or an orchestrator of containers asks
// of a command that runs for long: whether it is alive (/healthz), whether it is ready
// (/readyz), and its metrics (/metrics).
package health

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
)

// A Status is the state of the command.
type Status struct {
	// NotReady says why the command is not ready; "" if it is.
	NotReady string
	Metrics  []Metric
}

// Limits for clients, of which there are a few, with small requests.
const (
	maxHeader  = 8 << 10 // bytes
	maxClients = 32      // connections at the same time; further ones wait
	timeout    = 5 * time.Second
	idle       = 30 * time.Second
)

// A Server answers requests until Close.
type Server struct{ http *http.Server }

// Serve answers requests to l, which the user gave as address, with what status returns.
// status is called on any goroutine, and must not block.
func Serve(l net.Listener, address string, status func() Status) *Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := status().NotReady; why != "" {
			answer(w, http.StatusServiceUnavailable, "not ready: "+why)
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ContentType)
		_, _ = w.Write(Text(status().Metrics)) // the client is gone
	})
	s := &Server{&http.Server{
		Handler:           wsserver.NewGuard(l.Addr(), address, nil, nil).Wrap(mux),
		ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: idle,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(io.Discard, "", 0), // of clients that break off
	}}
	go func() { _ = s.http.Serve(newLimited(l, maxClients)) }() // until Close
	return s
}

// Close ends the server, with all connections.
func (s *Server) Close() { _ = s.http.Close() }

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
