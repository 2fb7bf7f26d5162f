package prototest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto"
)

// A World is the emulator of a service in a bubble of package synctest, and the
// settings of a client for it.
type World struct {
	T *testing.T
	// Env has the environment variables that the emulator prints.
	Env       map[string]string
	Transport *http.Transport
	// Options are the defaults, with Transport and a Trace that fills the fields below.
	Options         proto.Options
	Warnings, Notes []string
	Statuses        []proto.Status // without heartbeats, and without Live
}

// InWorld runs f in a bubble with an emulator of the service.
func InWorld(t *testing.T, opts emulator.Options, service emulator.Service, f func(*World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := emulator.Services{service}.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		n := emulator.NewNetwork(e)
		environ, err := e.Environ(emulator.Base)
		if err != nil {
			t.Fatal(err)
		}
		w := &World{T: t, Env: make(map[string]string), Transport: &http.Transport{DialContext: n.DialContext}}
		for _, v := range environ {
			name, value, _ := strings.Cut(v, "=")
			w.Env[name] = value
		}
		w.Options = proto.DefaultOptions()
		w.Options.Transport = w.Transport
		w.Options.Trace = proto.Trace{
			Status: func(s proto.Status) {
				switch s.State.(type) {
				case proto.Heartbeat, proto.Live:
				default:
					w.Statuses = append(w.Statuses, s)
				}
			},
			Warning: func(s string) { w.Warnings = append(w.Warnings, s) },
			Note:    func(s string) { w.Notes = append(w.Notes, s) },
		}
		f(w)
		w.Transport.CloseIdleConnections()
		e.Close()
		n.Close()
	})
}

// A Tally is a sink that checks that each event is a JSON object and ends the run with
// ErrEnough after Limit events.
type Tally struct {
	T     *testing.T
	Limit int             // 0 for never
	N     int             // events so far
	Gate  <-chan struct{} // each event waits for it; nil for none
}

// ErrEnough ends a run when a Tally has reached its limit.
var ErrEnough = errors.New("enough")

// Event implements proto.Sink.
func (s *Tally) Event(ev *proto.Event) error {
	if s.Gate != nil {
		<-s.Gate
	}
	var v map[string]any
	if err := json.Unmarshal(ev.Data, &v); err != nil {
		s.T.Errorf("event %d: %v: %s", ev.Seq, err, ev.Data)
	}
	if s.N++; s.N == s.Limit {
		return ErrEnough
	}
	return nil
}

// Flush implements proto.Sink.
func (s *Tally) Flush() error { return nil }

// A RoundTrip is a http.RoundTripper.
type RoundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f RoundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
