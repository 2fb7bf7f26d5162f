// Package recipe emulates the service of a recipe: it plays the case of its transcript
// that has a # live. It knows the transcript and no recipe, so that it cannot agree with
// mistakes of that.
//
// Every connection plays the case from its first # open to # live, at once; what follows
// is sent again and again, a message at each tick. A < after a > is an answer: it is sent
// for each message of the client for which the > is true, also for those that the case
// does not await, and those of the other cases are answered likewise. A message that no >
// is true of ends the connection. Where the client connects to is not looked at.
package recipe

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/transcript"
)

// prefix is where its addresses begin.
const prefix = "recipe"

// addressHeader has the address that a client has asked for.
const addressHeader = "X-Emulated-Address"

// ErrNoLive is the error for a transcript that cannot be played.
var ErrNoLive = errors.New("no case of the transcript has # live")

// Service is the emulator for a transcript.
func Service(name string, f *transcript.File, framing transcript.Framing) (emulator.Service, error) {
	live := f.Live()
	if live == nil {
		return emulator.Service{}, ErrNoLive
	}
	return emulator.Service{
		Name:  name,
		Flags: func(*flag.FlagSet) {},
		Start: func(h *emulator.Host) (emulator.Handler, error) {
			return &server{host: h, file: f, live: live, framing: framing, conns: make(map[*conn]struct{})}, nil
		},
	}, nil
}

// Transport sends every request to the emulator, whatever its address.
func Transport(base http.RoundTripper) http.RoundTripper { return transport{base} }

type transport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := url.Parse(emulator.Base + "/" + prefix + "/")
	if err != nil {
		return nil, err
	}
	asked := r
	r = r.Clone(r.Context())
	r.Header.Set(addressHeader, r.URL.String())
	r.URL, r.Host = at, ""
	resp, err := t.base.RoundTrip(r)
	if resp != nil {
		resp.Request = asked
	}
	return resp, err
}

// server is the emulator.
type server struct {
	host    *emulator.Host
	file    *transcript.File
	live    *transcript.Case
	framing transcript.Framing

	mu    sync.Mutex
	conns map[*conn]struct{} // that are live
}

// Prefixes implements emulator.Handler.
func (s *server) Prefixes() []string { return []string{prefix} }

// Environ implements emulator.Handler. No client finds it by its environment.
func (s *server) Environ(*url.URL) ([]string, error) { return nil, nil }

// Tick implements emulator.Handler.
func (s *server) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.box.Put(nil)
	}
}

// Owns implements emulator.Handler.
func (s *server) Owns(map[string]json.RawMessage) bool { return false }

// Take implements emulator.Handler.
func (s *server) Take([]byte) error { return errors.New("the events are those of the transcript") }

// maxBody is the longest body of a request that is read, in bytes.
const maxBody = 1 << 20

// Serve implements emulator.Handler.
func (s *server) Serve(w http.ResponseWriter, r *http.Request, _ string) {
	faults, ok := s.host.Admit(w, r, true, refuse)
	if !ok {
		return
	}
	if r.Header.Get("Upgrade") != "" {
		s.upgrade(w, r, faults)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return // the client is gone
	}
	address := r.Header.Get(addressHeader)
	r.Header.Del(addressHeader)
	value := transcript.RequestValue(r.Method, address, r.Header, body)
	for _, c := range s.cases() {
		for i := range c.Steps {
			step := &c.Steps[i]
			if step.Kind == transcript.Request && s.matches(step, value) {
				w.WriteHeader(step.Status)
				_, _ = w.Write(step.Data) // the client may be gone
				return
			}
		}
	}
	refuse(w, http.StatusNotFound, fmt.Sprintf("%s has no > request for this", s.file.Name))
}

func refuse(w http.ResponseWriter, status int, text string) { http.Error(w, text, status) }

// cases are those of the transcript, the one that is played first.
func (s *server) cases() []*transcript.Case {
	list := []*transcript.Case{s.live}
	for _, c := range s.file.Cases {
		if c != s.live {
			list = append(list, c)
		}
	}
	return list
}

// matches reports whether a step is true of a value. One that fails is not.
func (s *server) matches(step *transcript.Step, value any) bool {
	if step.Match == nil {
		return true
	}
	ok, err := step.Match.Matches(s.host.Context(), value)
	return ok && err == nil
}
