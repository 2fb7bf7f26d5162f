// Package emulator stands in for the services that hark speaks to: Octave,
// Drogue Cloud and Doshii, each an http.Handler that behaves as the public
// documents, servers and clients of the service say it does, refusals and
// timers included. Where nothing is known, an option says what happens.
//
// All services live on one address, each below prefixes of its own:
//
//	/octave        session service and sockets; REST below /octave/v5.0
//	/drogue        WebSocket integration: /drogue/APP and /drogue/APP/CHANNEL
//	/drogue-api    discovery, whoami, access tokens
//	/drogue-sso    OpenID Connect issuer: /drogue-sso/realms/drogue
//	/drogue-http   endpoint of devices: /drogue-http/v1/CHANNEL
//	/doshii        sockets: /doshii/app/socket, /doshii/app/socket/v3,
//	               /doshii/pos/socket, /doshii/vendor/socket; REST below
//	               /doshii/partner/v3
//	/emulator      control: POST /emulator/events publishes events of any service
//
// so the endpoint of a service is the address of the emulator and its prefix,
// as Environ prints it. Events are made up at a steady rate, and published with
// the services' own calls, with Publish, with Feed or at /emulator/events.
//
// Faults, by Options.Faults for all connections or by the request header
// FaultHeader for one, break a connection in the ways that Faults lists.
//
// The package shares with the client nothing but proto/wire, and it speaks
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

// Names of the services.
const (
	Octave = "octave"
	Drogue = "drogue"
	Doshii = "doshii"
)

// kinds is the list of services.
func kinds() []kind { return []kind{octaveKind(), drogueKind(), doshiiKind()} }

// A kind is what the emulator has to know of a service before there is one.
type kind struct {
	name string
	make func(core, Options) (service, error)
	// faults are those that only it has.
	faults []Fault
	// random are the faults that "random" may choose besides those of all services,
	// after n events.
	random func(n int, r *rand.Rand) []string
	// flags adds flags for what is not known of the service; their names begin with
	// its name.
	flags func(*Options, *flag.FlagSet)
}

// kindOf finds a service by its name.
func kindOf(name string) (kind, bool) {
	for _, k := range kinds() {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

// Services returns the names of all services.
func Services() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// A service is one of the emulated services.
type service interface {
	// prefixes are the first path segments of its addresses.
	prefixes() []string
	// serve answers a request; the path no longer has the prefix.
	serve(w http.ResponseWriter, r *http.Request, prefix string)
	// tick makes up one event for everybody who listens.
	tick()
	// owns tells whether an event for Publish, of these members, is one of the
	// service's.
	owns(members map[string]json.RawMessage) bool
	// take publishes an event.
	take(event []byte) error
	// environ returns the variables that point a client at the service.
	environ(base *url.URL) ([]string, error)
}

// A core is what the services share.
type core struct {
	ctx    context.Context // ends with the emulator
	faults *faultSource
	live   *gate
}

// An Emulator serves the emulated services over HTTP.
type Emulator struct {
	core
	services []service
	handlers map[string]service // by prefix

	cancel context.CancelFunc
	mu     sync.Mutex // orders Add against Wait
	wg     sync.WaitGroup
}

// New starts an emulator of the named services, of all without a name. Close
// ends it.
func New(opts Options, services ...string) (*Emulator, error) {
	if len(services) == 0 {
		services = Services()
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	faults, err := newFaultSource(ctx, opts, services)
	if err != nil {
		cancel()
		return nil, err
	}
	e := &Emulator{
		core: core{ctx: ctx, faults: faults, live: newGate()}, handlers: make(map[string]service), cancel: cancel,
	}
	var gates []*gate
	for _, name := range slices.Compact(slices.Sorted(slices.Values(services))) {
		c := e.core
		c.live = &gate{opened: make(chan struct{}), parent: e.live}
		gates = append(gates, c.live)
		k, ok := kindOf(name)
		if !ok {
			cancel()
			return nil, fmt.Errorf("unknown service %q: there are %s", name, strings.Join(Services(), ", "))
		}
		s, err := k.make(c, opts)
		if err != nil {
			cancel()
			return nil, err
		}
		e.services = append(e.services, s)
		for _, p := range s.prefixes() {
			e.handlers[p] = s
		}
	}
	for i, s := range e.services {
		e.wg.Go(func() {
			// The first event is made for the first listener: the same seed gives it the
			// same events, however late it comes.
			select {
			case <-gates[i].opened:
				steadily(ctx, opts.Rate, s.tick)
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
	s.serve(w, r, prefix)
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
	u, err := baseURL(base)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, s := range e.services {
		some, err := s.environ(u)
		if err != nil {
			return nil, err
		}
		env = append(env, some...)
	}
	return env, nil
}

// baseURL reads the address that an emulator is served at.
func baseURL(base string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil {
		return nil, fmt.Errorf("address of the emulator: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("address of the emulator: %q is no http address", base)
	}
	return u, nil
}

// socketBase is base with the scheme of WebSocket.
func socketBase(base *url.URL) string {
	return "ws" + strings.TrimPrefix(base.String(), "http")
}
