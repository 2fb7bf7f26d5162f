// Package emulator contains what the emulators of services share: the address on which
// they are served, the feed of events, faults, and the server's side of a WebSocket.
// Each emulator has a package below it, and behaves like the public documents, servers
// and clients of the service, including errors and timers; undocumented behavior can be
// set by options.
//
// All services are served on one address, each below its own prefixes. Paths that begin
// with /emulator control the emulator: POST /emulator/events publishes events of any
// service. The endpoint of a service is the address of the emulator and its prefix, as
// printed by Environ. Events are generated at a steady rate, and published with the
// services' own calls, with Publish, with Feed or at /emulator/events.
//
// Faults, set by Options.Faults for all connections or by the request header
// FaultHeader for one, disturb a connection in the ways that Faults lists.
//
// The emulators share only the JSON messages with the client, and have their own
// implementation of WebSocket (socket.go), which can violate the protocol.
package emulator

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Service describes a service of which an emulator can be started.
type Service struct {
	// Name is the name of the service, and the prefix of its options.
	Name string
	// Start starts the emulator.
	Start func(*Host) (Handler, error)
	// Flags adds the options as flags, with usage and default; setting a flag sets the
	// option.
	Flags func(*flag.FlagSet)
	// Check, if not nil, returns an error for an invalid option.
	Check func() error
	// Faults are the faults of this service only.
	Faults []Fault
	// Random returns faults that "random" may choose in addition to those of all
	// services, after n events.
	Random func(n int, r *rand.Rand) []string
}

// Services is a list of services.
type Services []Service

// Names lists them.
func (all Services) Names() []string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// find returns a service by its name.
func (all Services) find(name string) (Service, bool) {
	i := slices.IndexFunc(all, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, false
	}
	return all[i], true
}

// Flags returns the options of all services as flags.
func (all Services) Flags() *flag.FlagSet {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	for _, s := range all {
		s.Flags(f)
	}
	return f
}

// A Handler emulates a service.
type Handler interface {
	// Prefixes are the first path segments of its addresses.
	Prefixes() []string
	// Serve answers a request; the path no longer has the prefix.
	Serve(w http.ResponseWriter, r *http.Request, prefix string)
	// Tick generates one event for all listeners.
	Tick()
	// Owns reports whether an event for Publish, with these members, belongs to the
	// service.
	Owns(members map[string]json.RawMessage) bool
	// Take publishes an event.
	Take(event []byte) error
	// Environ returns the variables that point a client at the service.
	Environ(base *url.URL) ([]string, error)
}

// A Host provides the Handler of a service with the functions of its emulator.
type Host struct {
	service string
	ctx     context.Context // canceled by Close
	faults  *faultSource
	live    *gate
	seed    uint64
}

// Context returns a context that is canceled when the emulator is closed.
func (h *Host) Context() context.Context { return h.ctx }

// Listening is called when a client listens: events are generated from the first call
// on.
func (h *Host) Listening() { h.live.open() }

// Rand returns a random generator for a purpose, seeded by the emulator.
func (h *Host) Rand(purpose string) *rand.Rand { return NewRand(h.seed, purpose) }

// Admit returns the plan for a request, by its header and the options, and applies the
// faults before the handshake. refuse writes the service's error response; ok is false
// if the request has been answered.
func (h *Host) Admit(w http.ResponseWriter, r *http.Request, all bool,
	refuse func(w http.ResponseWriter, status int, text string)) (p Plan, ok bool) {
	return h.faults.admit(w, r, h.service, all, refuse)
}

// Upgrade answers the handshake of a request without a HandshakeFault, and starts
// reading. The caller must Drop the socket.
func (h *Host) Upgrade(w http.ResponseWriter, r *http.Request, rules Rules, p Plan) (*Socket, error) {
	return upgrade(h.ctx, w, r, rules, p)
}

// An Emulator serves the emulated services over HTTP.
type Emulator struct {
	ctx      context.Context
	live     *gate
	services []Handler
	handlers map[string]Handler // by prefix

	cancel context.CancelFunc
	mu     sync.Mutex // orders Add against Wait
	wg     sync.WaitGroup
}

// New starts an emulator of the named services, or of all. The caller must Close it.
func (all Services) New(opts Options, names ...string) (*Emulator, error) {
	if len(names) == 0 {
		names = all.Names()
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Check == nil {
			continue
		}
		if err := s.Check(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	faults, err := newFaultSource(ctx, opts, all, names)
	if err != nil {
		cancel()
		return nil, err
	}
	e := &Emulator{ctx: ctx, live: newGate(), handlers: make(map[string]Handler), cancel: cancel}
	var gates []*gate
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		h := &Host{service: name, ctx: ctx, faults: faults, live: &gate{opened: make(chan struct{}), parent: e.live}, seed: opts.Seed}
		gates = append(gates, h.live)
		s, ok := all.find(name)
		if !ok {
			cancel()
			return nil, fmt.Errorf("unknown service %q: expected %s", name, strings.Join(all.Names(), ", "))
		}
		handler, err := s.Start(h)
		if err != nil {
			cancel()
			return nil, err
		}
		e.services = append(e.services, handler)
		for _, p := range handler.Prefixes() {
			e.handlers[p] = handler
		}
	}
	for i, s := range e.services {
		e.wg.Go(func() {
			// The first event is generated for the first listener: the same seed gives
			// it the same events, whenever it connects.
			select {
			case <-gates[i].opened:
				steadily(ctx, opts.Rate, s.Tick)
			case <-ctx.Done():
			}
		})
	}
	return e, nil
}

// ServeHTTP implements http.Handler. It returns when the response is complete or the
// WebSocket connection has ended.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	if e.ctx.Err() != nil {
		e.mu.Unlock()
		http.Error(w, "the emulator is closed", http.StatusServiceUnavailable)
		return
	}
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()

	if r.URL.Path == eventsPath {
		e.serveEvents(w, r)
		return
	}
	// The path is split as it was sent: %2F is not a separator.
	prefix, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	s := e.handlers[prefix]
	if s == nil {
		http.NotFound(w, r)
		return
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		http.Error(w, "malformed path", http.StatusBadRequest)
		return
	}
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = "/"+path, "/"+rest
	s.Serve(w, r, prefix)
}

// Close closes all connections and returns when all goroutines of the emulator have
// ended.
func (e *Emulator) Close() error {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	e.wg.Wait()
	return nil
}

// Environ returns the environment that points clients at the emulator, served at
// base (such as http://127.0.0.1:8080): for each service the endpoint and the
// demo credentials, as NAME=value, and names to try as HARK_DEMO_….
func (e *Emulator) Environ(base string) ([]string, error) {
	u, err := BaseURL(base)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, s := range e.services {
		some, err := s.Environ(u)
		if err != nil {
			return nil, err
		}
		env = append(env, some...)
	}
	return env, nil
}

// BaseURL parses the address that an emulator is served at.
func BaseURL(base string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil {
		return nil, fmt.Errorf("address of the emulator: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("address of the emulator: %q is not an http address", base)
	}
	return u, nil
}

// SocketBase returns base with the scheme of WebSocket.
func SocketBase(base *url.URL) string {
	return "ws" + strings.TrimPrefix(base.String(), "http")
}
