package emulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// FaultHeader is the request header by which a client asks for faults on its own
// connection. Its value is one or more faults as Faults lists them, separated by
// spaces:
//
//	X-Emulate: after=3 close=1001:going away
//
// On the session request of Octave it applies to the socket of the session too.
const FaultHeader = "X-Emulate"

// A Fault is a row of the table of faults.
type Fault struct {
	Name     string
	Argument string // "" for none; parts in brackets are optional
	Meaning  string // prefixed with the name of the service, if only one has it
	// Service is the only service that has the fault, "" for faults of all services.
	Service string
	// Add adds the fault to a plan.
	Add func(p *Plan, a *Argument)
}

// String returns the fault and its argument, as a user writes it.
func (f Fault) String() string {
	switch {
	case f.Argument == "":
		return f.Name
	case strings.HasPrefix(f.Argument, "["):
		return f.Name + "[=" + f.Argument[1:]
	}
	return f.Name + "=" + f.Argument
}

// Faults returns the table of faults, for help texts. N is a number of events
// sent on the connection; where it is optional, it defaults to that of after.
func (all Services) Faults() []Fault {
	faults := commonFaults()
	for _, s := range all {
		for _, f := range s.Faults {
			f.Service, f.Meaning = s.Name, s.Name+": "+f.Meaning
			faults = append(faults, f)
		}
	}
	return faults
}

// commonFaults returns the faults of all services.
func commonFaults() []Fault {
	return []Fault{
		{Name: "after", Argument: "N", Meaning: "inject the faults that have no N of their own after N events; default: at once",
			Add: func(p *Plan, a *Argument) { p.after = a.Count(0) }},
		{Name: "times", Argument: "N", Meaning: "affect the first N connections only",
			Add: func(p *Plan, a *Argument) { p.times = a.AtLeast(1, 1) }},
		{Name: "random", Argument: "N", Meaning: "inject one random fault per connection, after about N events; never one that loses or corrupts an event",
			Add: func(p *Plan, a *Argument) { p.random = a.AtLeast(1, 1) }},
		{Name: "refuse", Argument: "STATUS[:SECONDS]", Meaning: "respond to the request with an HTTP status and Retry-After",
			Add: (*Plan).addRefusal},
		{Name: "slow", Argument: "DURATION", Meaning: "delay the response to the handshake",
			Add: func(p *Plan, a *Argument) { p.slow = a.Duration() }},
		{Name: "drop", Argument: "[N]", Meaning: "end the connection without a close frame",
			Add: func(p *Plan, a *Argument) { p.Step(a, func(s *Socket) bool { _ = s.Flush(); return true }) }},
		{Name: "silence", Argument: "[N]", Meaning: "stop sending and reading without closing, like a half-open connection",
			Add: func(p *Plan, a *Argument) {
				p.Step(a, func(s *Socket) bool { _ = s.Flush(); s.silent.Store(true); return false })
			}},
		{Name: "close", Argument: "CODE[:REASON]", Meaning: "send a close frame; 1005 is an empty one",
			Add: (*Plan).addClose},
		{Name: "pause", Argument: "DURATION", Meaning: "delay events for a while; pings continue",
			Add: func(p *Plan, a *Argument) {
				d := a.Duration()
				p.step(func(s *Socket) bool { s.faults.pause(s, d); return false })
			}},
		{Name: "malformed", Argument: "[N]", Meaning: "send a message that is not JSON",
			Add: func(p *Plan, a *Argument) {
				p.Step(a, func(s *Socket) bool { return s.Send(frame.OpText, []byte(`{"malformed":`)) != nil })
			}},
		{Name: "giant", Argument: "[BYTES]", Meaning: "send a message of that size; default: 65 MiB",
			Add: func(p *Plan, a *Argument) {
				n := a.Count(giantSize)
				p.step(func(s *Socket) bool { return s.sendGiant(n) })
			}},
		{Name: "invalid-utf8", Argument: "[N]", Meaning: "send a text message that is not UTF-8",
			Add: func(p *Plan, a *Argument) {
				p.Step(a, func(s *Socket) bool { return s.Send(frame.OpText, []byte("{\"invalid\":\"\xff\xfe\"}")) != nil })
			}},
		{Name: "masked", Argument: "[N]", Meaning: "send a masked frame, which the protocol forbids for servers",
			Add: func(p *Plan, a *Argument) {
				p.Step(a, func(s *Socket) bool { return s.sendMasked([]byte(`{"masked":true}`)) })
			}},
		{Name: "duplicate", Argument: "[K]", Meaning: "send every Kth event twice; default: every event",
			Add: func(p *Plan, a *Argument) { p.duplicate = a.AtLeast(1, 1) }},
		{Name: "reorder", Argument: "[K]", Meaning: "send events in groups of K in reverse order; default: 2",
			Add: func(p *Plan, a *Argument) { p.reorder = a.AtLeast(2, 2) }},
		{Name: "lose", Argument: "[K]", Meaning: "omit every Kth event; default: every event",
			Add: func(p *Plan, a *Argument) { p.lose = a.AtLeast(1, 1) }},
		{Name: "binary", Meaning: "send events as binary messages",
			Add: func(p *Plan, _ *Argument) { p.binary = true }},
		{Name: "fragment", Argument: "[BYTES]", Meaning: "send events in frames of that size; default: 16",
			Add: func(p *Plan, a *Argument) { p.fragment = a.AtLeast(16, 1) }},
		{Name: "extra", Meaning: "add an undocumented member to every event",
			Add: func(p *Plan, _ *Argument) { p.extra = true }},
		{Name: "no-pong", Meaning: "do not answer pings",
			Add: func(p *Plan, _ *Argument) { p.noPong = true }},
		{Name: "delay-pong", Argument: "DURATION", Meaning: "delay the answer to pings",
			Add: func(p *Plan, a *Argument) { p.delayPong = a.Duration() }},
	}
}

// giantSize is the default size of giant: more than a client with a limit of 64 MiB accepts.
const giantSize = 65 << 20

// A Plan is the list of faults of one connection. The zero value has none.
type Plan struct {
	after  int
	times  int // 0: always
	random int // 0: not

	refuse     int // 0: not
	retryAfter string
	slow       time.Duration

	steps     []step
	changes   []func(event []byte) []byte
	duplicate int
	reorder   int
	lose      int
	fragment  int
	binary    bool
	extra     bool
	noPong    bool
	delayPong time.Duration

	own map[any]any // by Own
}

// A step is run once, after a number of events.
type step struct {
	after int // -1 until the number of the plan is known
	do    func(s *Socket) (over bool)
}

// Step adds a step that runs once, after the number of events in a or, without one,
// that of after. If it returns over, the connection is closed.
func (p *Plan) Step(a *Argument, do func(s *Socket) (over bool)) {
	p.steps = append(p.steps, step{a.Count(-1), do})
}

// step is Step without a number of its own.
func (p *Plan) step(do func(s *Socket) (over bool)) { p.steps = append(p.steps, step{-1, do}) }

// Change adds a function that changes every event before it is sent.
func (p *Plan) Change(change func(event []byte) []byte) { p.changes = append(p.changes, change) }

// Own returns the state that the faults of a service keep in a plan, in a type of
// their own; at first it is a zero T.
func Own[T any](p *Plan) *T {
	key := (*T)(nil)
	if own, ok := p.own[key].(*T); ok {
		return own
	}
	if p.own == nil {
		p.own = make(map[any]any)
	}
	own := new(T)
	p.own[key] = own
	return own
}

// An Argument is the argument of a fault. An error in it is reported after the fault has
// been added.
type Argument struct {
	text  string
	given bool
	err   error
}

// Count returns the number, or unless without one.
func (a *Argument) Count(unless int) int {
	if !a.given {
		return unless
	}
	n, err := strconv.ParseUint(a.text, 10, 31)
	if err != nil {
		a.err = fmt.Errorf("%q is not a number", a.text)
	}
	return int(n)
}

// AtLeast is Count with a minimum.
func (a *Argument) AtLeast(unless, least int) int {
	n := a.Count(unless)
	if a.err == nil && n < least {
		a.err = fmt.Errorf("%q: expected a number of at least %d", a.text, least)
	}
	return n
}

// Duration returns the argument as a positive duration.
func (a *Argument) Duration() time.Duration {
	d, err := time.ParseDuration(a.text)
	if err != nil || d <= 0 {
		a.err = fmt.Errorf("%q: expected a duration such as 500ms", a.text)
	}
	return d
}

// A faultTable is the list of the faults of services.
type faultTable []Fault

// check returns an error for a fault of another service, and for a list without faults.
func (t faultTable) check(spec string, services []string) error {
	items := t.split(spec)
	modifier := func(item string) bool { return strings.HasPrefix(item, "after=") || strings.HasPrefix(item, "times=") }
	if !slices.ContainsFunc(items, func(item string) bool { return !modifier(item) }) {
		return errors.New("missing fault")
	}
	for _, item := range items {
		name, _, _ := strings.Cut(item, "=")
		for _, f := range t {
			if s := f.Service; f.Name == name && s != "" && !slices.Contains(services, s) {
				return fmt.Errorf("fault %s: for %s only", name, s)
			}
		}
	}
	return nil
}

// parse parses faults in the syntax of FaultHeader.
func (t faultTable) parse(spec string) (Plan, error) {
	var p Plan
	for _, item := range t.split(spec) {
		name, arg, given := strings.Cut(item, "=")
		if err := t.add(&p, name, &Argument{text: arg, given: given}); err != nil {
			return Plan{}, fmt.Errorf("fault %s: %w", name, err)
		}
	}
	for i := range p.steps {
		if p.steps[i].after < 0 {
			p.steps[i].after = p.after
		}
	}
	slices.SortStableFunc(p.steps, func(a, b step) int { return a.after - b.after })
	return p, nil
}

// split splits at spaces; words that are not faults belong to the reason of the close
// before them.
func (t faultTable) split(spec string) (items []string) {
	known := make(map[string]bool)
	for _, f := range t {
		known[f.Name] = true
	}
	for word := range strings.FieldsSeq(spec) {
		name, _, _ := strings.Cut(word, "=")
		if n := len(items); n > 0 && !known[name] && strings.HasPrefix(items[n-1], "close=") {
			items[n-1] += " " + word
		} else {
			items = append(items, word)
		}
	}
	return items
}

// add adds a fault to a plan.
func (t faultTable) add(p *Plan, name string, a *Argument) error {
	i := slices.IndexFunc(t, func(f Fault) bool { return f.Name == name })
	switch {
	case i < 0:
		var names []string
		for _, f := range t {
			names = append(names, f.Name)
		}
		return fmt.Errorf("unknown fault; expected one of %s", strings.Join(names, ", "))
	case t[i].Argument == "" && a.given:
		return errors.New("it has no argument")
	}
	t[i].Add(p, a)
	return a.err
}

func (p *Plan) addRefusal(a *Argument) {
	status, seconds, ok := strings.Cut(a.text, ":")
	n, err := strconv.Atoi(status)
	if err != nil || n < 400 || n > 599 {
		a.err = fmt.Errorf("%q is not an HTTP status from 400 to 599", status)
		return
	}
	if _, err := strconv.ParseUint(seconds, 10, 32); ok && err != nil {
		a.err = fmt.Errorf("%q is not a number of seconds", seconds)
		return
	}
	p.refuse, p.retryAfter = n, seconds
}

func (p *Plan) addClose(a *Argument) {
	code, reason, _ := strings.Cut(a.text, ":")
	n, err := strconv.Atoi(code)
	if err != nil || n < 0 || n > 65535 {
		a.err = fmt.Errorf("%q is not a status code", code)
		return
	}
	if len(reason) > frame.MaxControlPayload-2 {
		a.err = fmt.Errorf("the reason is longer than %d bytes", frame.MaxControlPayload-2)
		return
	}
	p.step(func(s *Socket) bool { _ = s.Flush(); s.Close(n, reason); return true })
}

// faultSource decides which faults a request gets.
type faultSource struct {
	ctx        context.Context
	services   Services
	table      faultTable
	configured []string // by the options

	mu   sync.Mutex
	used map[string]int // how many connections each has had
	rand *rand.Rand
}

func newFaultSource(ctx context.Context, opts Options, all Services, services []string) (*faultSource, error) {
	table := faultTable(all.Faults())
	for _, spec := range opts.Faults {
		if err := table.check(spec, services); err != nil {
			return nil, err
		}
		if _, err := table.parse(spec); err != nil {
			return nil, err
		}
	}
	return &faultSource{
		ctx: ctx, services: all, table: table, configured: opts.Faults, used: make(map[string]int), rand: NewRand(opts.Seed, "faults"),
	}, nil
}

// of returns the faults of a request: those of its header, and those of the options.
func (f *faultSource) of(r *http.Request, service string, all bool) (Plan, error) {
	specs := r.Header.Values(FaultHeader)
	if all {
		specs = slices.Concat(f.configured, specs)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var active []string
	for _, spec := range specs {
		p, err := f.table.parse(spec)
		if err != nil {
			return Plan{}, err
		}
		f.used[spec]++
		if p.times > 0 && f.used[spec] > p.times {
			continue
		}
		if p.random > 0 {
			spec += " " + f.roll(service, p.random)
		}
		active = append(active, spec)
	}
	return f.table.parse(strings.Join(active, " "))
}

// roll chooses a fault. None of them loses an event on a connection that continues.
func (f *faultSource) roll(service string, around int) string {
	n := f.rand.IntN(2*around + 1)
	choice := []string{
		fmt.Sprintf("drop=%d", n),
		fmt.Sprintf("after=%d close=1001", n),
		fmt.Sprintf("after=%d close=1011:overloaded", n),
		fmt.Sprintf("after=%d close=1012:restart", n),
		fmt.Sprintf("after=%d pause=%dms", n, 100+f.rand.IntN(900)),
		fmt.Sprintf("slow=%dms", 1+f.rand.IntN(300)),
		fmt.Sprintf("fragment=%d", 1+f.rand.IntN(64)),
		"refuse=503:1",
		"extra",
	}
	if s, ok := f.services.find(service); ok && s.Random != nil {
		choice = append(choice, s.Random(n, f.rand)...)
	}
	return choice[f.rand.IntN(len(choice))]
}

// admit returns the plan for a request and applies the faults before the handshake.
// refuse writes the service's error response; ok is false if the request has been
// answered.
func (f *faultSource) admit(w http.ResponseWriter, r *http.Request, service string, all bool,
	refuse func(w http.ResponseWriter, status int, text string)) (p Plan, ok bool) {
	p, err := f.of(r, service, all)
	if err != nil {
		refuse(w, http.StatusBadRequest, FaultHeader+": "+err.Error())
		return p, false
	}
	if p.slow > 0 {
		select {
		case <-time.After(p.slow):
		case <-f.ctx.Done():
		case <-r.Context().Done():
		}
	}
	if p.refuse != 0 {
		if p.retryAfter != "" {
			w.Header().Set("Retry-After", p.retryAfter)
		}
		refuse(w, p.refuse, strings.ToLower(http.StatusText(p.refuse)))
		return p, false
	}
	return p, true
}
