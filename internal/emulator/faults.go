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
	"github.com/hark-cli/hark/proto/wire"
)

// FaultHeader is the request header by which a client asks for faults on its own
// connection. Its value is one or more faults as Faults lists them, separated by
// spaces:
//
//	X-Emulate: after=3 close=1001:going away
//
// On the session request of Octave it holds for the socket of the session too.
const FaultHeader = "X-Emulate"

// A Fault is a row of the table of faults.
type Fault struct {
	Name     string
	Argument string // "" for none; what is in brackets may be left out
	Meaning  string // after the name of the service, if only one has it
	// Service is the only service that has the fault, "" for those that all have.
	Service string
}

// String is the fault as it is written, with its argument.
func (f Fault) String() string {
	switch {
	case f.Argument == "":
		return f.Name
	case strings.HasPrefix(f.Argument, "["):
		return f.Name + "[=" + f.Argument[1:]
	}
	return f.Name + "=" + f.Argument
}

// Faults returns the table of faults, for help texts. N counts events that were
// sent on the connection; where it may be left out it is that of after.
func Faults() []Fault {
	faults := []Fault{
		{Name: "after", Argument: "N", Meaning: "let the faults without a number of their own happen after N events; without it, at once"},
		{Name: "times", Argument: "N", Meaning: "apply to the first N connections only"},
		{Name: "random", Argument: "N", Meaning: "on each connection one fault by chance, after about N events; those that lose or garble an event are left out"},
		{Name: "refuse", Argument: "STATUS[:SECONDS]", Meaning: "answer the request with an HTTP status, and Retry-After"},
		{Name: "slow", Argument: "DURATION", Meaning: "wait before the handshake is answered"},
		{Name: "drop", Argument: "[N]", Meaning: "end the connection without a close frame"},
		{Name: "silence", Argument: "[N]", Meaning: "go silent without ending the connection, as a half-open one does: nothing is sent, nothing is taken"},
		{Name: "close", Argument: "CODE[:REASON]", Meaning: "send a close frame; 1005 is an empty one"},
		{Name: "pause", Argument: "DURATION", Meaning: "hold events back for a while; pings go on"},
		{Name: "malformed", Argument: "[N]", Meaning: "send a message that is not JSON"},
		{Name: "giant", Argument: "[BYTES]", Meaning: "send a message of that size; without it, of 65 MiB"},
		{Name: "invalid-utf8", Argument: "[N]", Meaning: "send a text message that is not UTF-8"},
		{Name: "masked", Argument: "[N]", Meaning: "send a masked frame, which servers must not"},
		{Name: "duplicate", Argument: "[K]", Meaning: "send every K-th event twice; without it, every one"},
		{Name: "reorder", Argument: "[K]", Meaning: "send events in groups of K, the last first; without it, of 2"},
		{Name: "lose", Argument: "[K]", Meaning: "leave every K-th event out; without it, every one"},
		{Name: "binary", Argument: "", Meaning: "send events as binary messages"},
		{Name: "fragment", Argument: "[BYTES]", Meaning: "send events in frames of that size; without it, of 16"},
		{Name: "extra", Argument: "", Meaning: "add a member to every event that no document knows"},
		{Name: "no-pong", Argument: "", Meaning: "answer no pings"},
		{Name: "delay-pong", Argument: "DURATION", Meaning: "answer pings later"},
	}
	for _, k := range kinds() {
		for _, f := range k.faults {
			f.Service, f.Meaning = k.name, k.name+": "+f.Meaning
			faults = append(faults, f)
		}
	}
	return faults
}

// giantSize is what giant sends: more than a client with a limit of 64 MiB takes.
const giantSize = 65 << 20

// A plan is what goes wrong on one connection. The zero value is: nothing.
type plan struct {
	after  int
	times  int // 0: always
	random int // 0: not

	refuse     int // 0: not
	retryAfter string
	slow       time.Duration

	steps     []step
	duplicate int
	reorder   int
	lose      int
	fragment  int
	binary    bool
	extra     bool
	absent    bool
	noPong    bool
	delayPong time.Duration

	ackDelay       time.Duration
	ackAfter       int
	ackNull        bool
	sessionExpired bool
}

// A step is something that happens once, after a number of events.
type step struct {
	after int // -1 until the number of the plan is known
	do    func(s *socket) (over bool)
}

// checkFaults finds faults that none of the services has, and a list without faults.
func checkFaults(spec string, services []string) error {
	items := splitFaults(spec)
	modifier := func(item string) bool { return strings.HasPrefix(item, "after=") || strings.HasPrefix(item, "times=") }
	if !slices.ContainsFunc(items, func(item string) bool { return !modifier(item) }) {
		return errors.New("no fault is named")
	}
	for _, item := range items {
		name, _, _ := strings.Cut(item, "=")
		for _, f := range Faults() {
			if s := f.Service; f.Name == name && s != "" && !slices.Contains(services, s) {
				return fmt.Errorf("fault %s: only %s has it", name, s)
			}
		}
	}
	return nil
}

// parseFaults reads faults as FaultHeader has them.
func parseFaults(spec string) (plan, error) {
	var p plan
	for _, item := range splitFaults(spec) {
		name, arg, given := strings.Cut(item, "=")
		if err := p.add(name, arg, given); err != nil {
			return plan{}, fmt.Errorf("fault %s: %w", name, err)
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

// splitFaults splits at spaces; words that are no fault belong to the reason of
// the close before them.
func splitFaults(spec string) (items []string) {
	known := make(map[string]bool)
	for _, f := range Faults() {
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

func (p *plan) add(name, arg string, given bool) (err error) {
	count := func(unless int) int {
		n, e := faultNumber(arg, given, unless)
		if e != nil {
			err = e
		}
		return n
	}
	// Less than least would be no fault.
	some := func(unless, least int) int {
		n := count(unless)
		if err == nil && n < least {
			err = fmt.Errorf("%q: expected a number of at least %d", arg, least)
		}
		return n
	}
	duration := func() time.Duration {
		d, e := time.ParseDuration(arg)
		if e != nil || d <= 0 {
			err = fmt.Errorf("%q: expected a duration such as 500ms", arg)
		}
		return d
	}
	at := func(do func(s *socket) (over bool)) { p.steps = append(p.steps, step{count(-1), do}) }
	switch name {
	case "after":
		p.after = count(0)
	case "times":
		p.times = some(1, 1)
	case "random":
		p.random = some(1, 1)
	case "refuse":
		err = p.addRefusal(arg)
	case "slow":
		p.slow = duration()
	case "close":
		err = p.addClose(arg)
	case "pause":
		d := duration()
		p.steps = append(p.steps, step{-1, func(s *socket) bool { s.faults.pause(s, d); return false }})
	case "giant":
		n := count(giantSize)
		p.steps = append(p.steps, step{-1, func(s *socket) bool { return s.sendGiant(n) }})
	case "drop":
		at(func(s *socket) bool { _ = s.flush(); return true })
	case "silence":
		at(func(s *socket) bool { _ = s.flush(); s.silent.Store(true); return false })
	case "malformed":
		at(func(s *socket) bool { return s.send(frame.OpText, []byte(`{"malformed":`)) != nil })
	case "invalid-utf8":
		at(func(s *socket) bool { return s.send(frame.OpText, []byte("{\"invalid\":\"\xff\xfe\"}")) != nil })
	case "masked":
		at(func(s *socket) bool { return s.sendMasked([]byte(`{"masked":true}`)) })
	case "token-expired":
		at(func(s *socket) bool { s.close(frame.StatusPolicy, wire.DrogueTokenExpired); return true })
	case "stream-error":
		at(func(s *socket) bool { s.close(frame.StatusInternal, wire.DrogueStreamError); return true })
	case "bad-record":
		at(func(s *socket) bool {
			if s.spoil != nil {
				s.spoil()
			}
			return false
		})
	case "crash":
		at(func(s *socket) bool { s.crashed = true; _ = s.flush(); return true })
	case "duplicate":
		p.duplicate = some(1, 1)
	case "reorder":
		p.reorder = some(2, 2)
	case "lose":
		p.lose = some(1, 1)
	case "fragment":
		p.fragment = some(16, 1)
	case "delay-pong":
		p.delayPong = duration()
	case "ack-delay":
		p.ackDelay = duration()
	case "ack-after":
		p.ackAfter = some(1, 1)
	default:
		return p.addSwitch(name, given)
	}
	return err
}

// addSwitch adds a fault that has no argument.
func (p *plan) addSwitch(name string, given bool) error {
	switches := map[string]*bool{
		"binary": &p.binary, "extra": &p.extra, "absent": &p.absent, "no-pong": &p.noPong,
		"ack-null": &p.ackNull, "session-expired": &p.sessionExpired,
	}
	on := switches[name]
	switch {
	case on == nil:
		var names []string
		for _, f := range Faults() {
			names = append(names, f.Name)
		}
		return fmt.Errorf("there is no such fault; there are %s", strings.Join(names, ", "))
	case given:
		return fmt.Errorf("it takes no argument")
	}
	*on = true
	return nil
}

func (p *plan) addRefusal(arg string) error {
	status, seconds, ok := strings.Cut(arg, ":")
	n, err := strconv.Atoi(status)
	if err != nil || n < 400 || n > 599 {
		return fmt.Errorf("%q is no HTTP status from 400 to 599", status)
	}
	if _, err := strconv.ParseUint(seconds, 10, 32); ok && err != nil {
		return fmt.Errorf("%q is no number of seconds", seconds)
	}
	p.refuse, p.retryAfter = n, seconds
	return nil
}

func (p *plan) addClose(arg string) error {
	code, reason, _ := strings.Cut(arg, ":")
	n, err := strconv.Atoi(code)
	if err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no status code", code)
	}
	if len(reason) > frame.MaxControlPayload-2 {
		return fmt.Errorf("the reason is longer than %d bytes", frame.MaxControlPayload-2)
	}
	p.steps = append(p.steps, step{-1, func(s *socket) bool { _ = s.flush(); s.close(n, reason); return true }})
	return nil
}

// faultNumber reads the number of a fault, or takes unless.
func faultNumber(arg string, given bool, unless int) (int, error) {
	if !given {
		return unless, nil
	}
	n, err := strconv.ParseUint(arg, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", arg)
	}
	return int(n), nil
}

// faultSource says which faults a request meets.
type faultSource struct {
	ctx        context.Context
	configured []string // by the options

	mu   sync.Mutex
	used map[string]int // how many connections each has had
	rand *rand.Rand
}

func newFaultSource(ctx context.Context, opts Options, services []string) (*faultSource, error) {
	for _, spec := range opts.Faults {
		if err := checkFaults(spec, services); err != nil {
			return nil, err
		}
		if _, err := parseFaults(spec); err != nil {
			return nil, err
		}
	}
	return &faultSource{
		ctx: ctx, configured: opts.Faults, used: make(map[string]int), rand: newRand(opts.Seed, "faults"),
	}, nil
}

// of returns what goes wrong with a request: by its header, and with all by the
// options.
func (f *faultSource) of(r *http.Request, service string, all bool) (plan, error) {
	specs := r.Header.Values(FaultHeader)
	if all {
		specs = slices.Concat(f.configured, specs)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var active []string
	for _, spec := range specs {
		p, err := parseFaults(spec)
		if err != nil {
			return plan{}, err
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
	return parseFaults(strings.Join(active, " "))
}

// roll chooses a fault. None of them loses an event on a connection that goes on.
func (f *faultSource) roll(service string, around int) string {
	n := f.rand.IntN(2*around + 1)
	choice := []string{
		fmt.Sprintf("drop=%d", n),
		fmt.Sprintf("after=%d close=1001", n),
		fmt.Sprintf("after=%d close=1011:overloaded", n),
		fmt.Sprintf("after=%d close=1012:restart", n),
		fmt.Sprintf("after=%d pause=%dms", n, 100+f.rand.IntN(900)),
		fmt.Sprintf("slow=%dms", f.rand.IntN(300)),
		fmt.Sprintf("fragment=%d", 1+f.rand.IntN(64)),
		"refuse=503:1",
		"extra",
	}
	if k, ok := kindOf(service); ok {
		choice = append(choice, k.random(n, f.rand)...)
	}
	return choice[f.rand.IntN(len(choice))]
}

// admit finds the plan for a request and lets it meet the faults that come
// before an answer. refuse writes an answer in the manner of the service; ok is
// false when the request has been answered.
func (f *faultSource) admit(w http.ResponseWriter, r *http.Request, service string, all bool,
	refuse func(w http.ResponseWriter, status int, text string)) (p plan, ok bool) {
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
