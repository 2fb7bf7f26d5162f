// Package emulator emulates the services that hark speaks to. A folder below it has
// the emulator of each, which behaves as the public documents, servers and clients of
// the service say it does, refusals and timers included; where nothing is known, an
// option says what happens. Here is what they share: the address on which they are
// served, the feed of events, faults, and the server's side of a WebSocket.
//
// All services live on one address, each below prefixes of its own. What begins with
// /emulator is for control: POST /emulator/events publishes events of any service. The
// endpoint of a service is the address of the emulator and its prefix, as Environ
// prints it. Events are generated at a steady rate, and published with
// the services' own calls, with Publish, with Feed or at /emulator/events.
//
// Faults, by Options.Faults for all connections or by the request header
// FaultHeader for one, break a connection in the ways that Faults lists.
//
// The emulators share with the client nothing but the shapes of messages, and they speak
// WebSocket by itself (socket.go), so that it can also break the rules.
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

// A Service is what there is to know of a service before there is an emulator of it.
type Service struct {
	// Name is that of the service; those of its options begin with it.
	Name string
	// Start makes the emulator.
	Start func(*Host) (Handler, error)
	// Flags adds the options as flags, each with its usage and, as default, the value
	// that it has; setting a flag sets the option.
	Flags func(*flag.FlagSet)
	// Check looks for options that cannot be meant; nil finds none.
	Check func() error
	// Faults are those that only this service has.
	Faults []Fault
	// Random are faults that "random" may choose besides those of all services, after n
	// events.
	Random func(n int, r *rand.Rand) []string
}

// Services are the services that there are emulators of.
type Services []Service

// Names lists them.
func (all Services) Names() []string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// find finds a service by its name.
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
	// Tick makes up one event for everybody who listens.
	Tick()
	// Owns reports whether an event for Publish, of these members, is one of the
	// service's.
	Owns(members map[string]json.RawMessage) bool
	// Take publishes an event.
	Take(event []byte) error
	// Environ returns the variables that point a client at the service.
	Environ(base *url.URL) ([]string, error)
}

// A Host is what an emulator has for the Handler of a service.
type Host struct {
	service string
	ctx     context.Context // ends with the emulator
	faults  *faultSource
	live    *gate
	seed    uint64
}

// Context ends with the emulator.
func (h *Host) Context() context.Context { return h.ctx }

// Listening says that a client listens: events are generated from the first on.
func (h *Host) Listening() { h.live.open() }

// Rand makes a source of chance of its own for a purpose, by the seed of the emulator.
func (h *Host) Rand(purpose string) *rand.Rand { return NewRand(h.seed, purpose) }

// Admit finds the plan for a request, by its header, and with all by the options, and
// lets it meet the faults that come before an answer. refuse writes an answer in the
// manner of the service; ok is false when the request has been answered.
func (h *Host) Admit(w http.ResponseWriter, r *http.Request, all bool,
	refuse func(w http.ResponseWriter, status int, text string)) (p Plan, ok bool) {
	return h.faults.admit(w, r, h.service, all, refuse)
}

// Upgrade answers the handshake of a request that HandshakeFault has passed, and
// starts to read. The socket must be dropped.
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

// New starts an emulator of the named services, of all without a name. Close
// ends it.
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
			// The first event is made for the first listener: the same seed gives it the
			// same events, however late it comes.
			select {
			case <-gates[i].opened:
				steadily(ctx, opts.Rate, s.Tick)
			case <-ctx.Done():
			}
		})
	}
	return e, nil
}

// ServeHTTP implements http.Handler. It returns when the answer is complete or
// the WebSocket connection has ended.
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
	// The path is taken apart as it was sent: %2F is no separator.
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

// Close ends all connections and returns when nothing of the emulator runs any
// more.
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

// BaseURL reads the address that an emulator is served at.
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

// SocketBase is base with the scheme of WebSocket.
func SocketBase(base *url.URL) string {
	return "ws" + strings.TrimPrefix(base.String(), "http")
}
