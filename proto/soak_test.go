package proto_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	doshiiemu "github.com/hark-cli/hark/internal/emulator/doshii"
	drogueemu "github.com/hark-cli/hark/internal/emulator/drogue"
	octaveemu "github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/prototest"
)

// soakTime is how long each service is tested: HARK_SOAK, or very short. "make test"
// sets 20 s, "make soak" an hour.
func soakTime(t *testing.T) time.Duration {
	d, err := time.ParseDuration(os.Getenv("HARK_SOAK"))
	if err != nil {
		t.Skip("HARK_SOAK says for how long: 1m, 1h")
	}
	return d
}

// Under random faults from a seed, on real sockets, each numbered event that was
// published was printed, or happened in a reported gap. Octave fills its gaps without
// duplicates. At the end no resources are leaked.
func TestSoak(t *testing.T) {
	d := soakTime(t)
	goroutines, descriptors := runtime.NumGoroutine(), openFiles()
	t.Run("services", func(t *testing.T) {
		for _, service := range []string{"octave", "drogue", "doshii"} {
			t.Run(service, func(t *testing.T) {
				t.Parallel()
				soak(t, service, d)
			})
		}
	})
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if runtime.NumGoroutine() <= goroutines && openFiles() <= descriptors {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d descriptors; there were %d and %d\n%s",
		runtime.NumGoroutine(), openFiles(), goroutines, descriptors, buf[:runtime.Stack(buf, true)])
}

// openFiles returns the number of descriptors of the process, if the system provides
// it.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// A log is the state of a soak test: when each event was published, what was printed,
// and which gaps were reported.
type soakLog struct {
	mu        sync.Mutex
	published map[int][2]time.Time // before and after the call
	printed   map[int]int
	gaps      []proto.Gap
	warnings  []string
	ready     bool
	attempts  int
	last      chan struct{} // closed when the last event has come
	final     int
}

func (l *soakLog) Event(ev *proto.Event) error {
	n, ok := soakNumber(ev.Data)
	if !ok {
		return fmt.Errorf("no number in %.200s", ev.Data)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.printed[n]++
	if n >= l.final && l.final > 0 {
		select {
		case <-l.last:
		default:
			close(l.last)
		}
	}
	return nil
}

func (l *soakLog) Flush() error { return nil }

// soakNumber finds the number of an event in the forms of all services.
func soakNumber(b []byte) (int, bool) {
	var v struct {
		Value struct {
			Elems struct{ N *int }
		}
		Data struct{ N *int }
		Emit []json.RawMessage
	}
	if json.Unmarshal(b, &v) != nil {
		return 0, false
	}
	if len(v.Emit) == 2 {
		if json.Unmarshal(v.Emit[1], &v.Data) != nil {
			return 0, false
		}
	}
	for _, n := range []*int{v.Value.Elems.N, v.Data.N} {
		if n != nil {
			return *n, true
		}
	}
	return 0, false
}

func soakEvent(service string, n int) []byte {
	switch service {
	case "octave":
		return fmt.Appendf(nil, `{"type":"message","value":{"path":"/demo/stream","elems":{"n":%d}}}`, n)
	case "drogue":
		return fmt.Appendf(nil, `{"type":"io.drogue.event.v1","subject":"soak","device":"d","data":{"n":%d}}`, n)
	}
	return fmt.Appendf(nil, `{"emit":["order_created",{"locationId":%q,"n":%d}]}`, doshiiemu.DemoLocation, n)
}

func soak(t *testing.T, service string, d time.Duration) {
	opts := byDefault()
	opts.Rate = 0
	opts.Seed = 7
	// One random fault, and always an end after a while.
	opts.Faults = []string{"random=20", "drop=150"}
	opts.Drogue.Ping = 200 * time.Millisecond
	e, err := opts.start(service)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer server.Close()
	defer e.Close()

	l := &soakLog{published: make(map[int][2]time.Time), printed: make(map[int]int), last: make(chan struct{})}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	o := proto.DefaultOptions()
	o.Transport = transport
	o.Retries, o.RetryWindow = 1<<30, time.Hour
	o.Backoff = proto.Backoff{Base: 20 * time.Millisecond, Max: 200 * time.Millisecond}
	o.PingInterval, o.PingTimeout = time.Second, 2*time.Second
	o.Trace = proto.Trace{
		Status: func(s proto.Status) {
			l.mu.Lock()
			defer l.mu.Unlock()
			switch state := s.State.(type) {
			case proto.Gap:
				l.gaps = append(l.gaps, state)
			case proto.Connecting:
				l.attempts++
			case proto.Ready:
				l.ready = true
			}
		},
		Warning: func(s string) { l.warnings = append(l.warnings, s) },
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- proto.Run(ctx, soakService(t, e, server.URL, service, transport), l, o) }()

	base := server.URL
	n := soakPublish(t, base, l, service, d)
	// The last event is sent repeatedly, because it may be lost by a fault, too.
	deadline := time.After(5 * time.Minute)
	l.mu.Lock()
	l.final = n
	l.mu.Unlock()
	for waiting := true; waiting; n++ {
		soakOne(t, base, l, service, n)
		select {
		case <-l.last:
			waiting = false
		case <-deadline:
			t.Error("the last event never came")
			waiting = false
		case err := <-ended:
			t.Fatalf("the run ended by itself: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	time.Sleep(time.Second) // for what was published while the last one was on its way
	cancel(prototest.ErrEnough)
	if err := <-ended; !errors.Is(err, prototest.ErrEnough) {
		t.Errorf("Run: %v", err)
	}
	l.judge(t, service)
}

func soakPublish(t *testing.T, base string, l *soakLog, service string, d time.Duration) (n int) {
	// Events before the first connection are not lost. For Drogue Cloud the stream
	// begins with its first event at the latest.
	for ready := false; !ready; {
		soakOne(t, base, l, service, 0)
		time.Sleep(10 * time.Millisecond)
		l.mu.Lock()
		ready = l.ready
		delete(l.published, 0)
		l.mu.Unlock()
	}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		n++
		soakOne(t, base, l, service, n)
	}
	return n + 1
}

func soakOne(t *testing.T, base string, l *soakLog, service string, n int) {
	before := time.Now()
	resp, err := http.Post(base+"/emulator/events", "application/x-ndjson", bytes.NewReader(soakEvent(service, n)))
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Errorf("publishing: %s", resp.Status)
	}
	l.mu.Lock()
	l.published[n] = [2]time.Time{before, time.Now()}
	l.mu.Unlock()
}

// judge compares what was published with what was printed and reported.
func (l *soakLog) judge(t *testing.T, service string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing, twice, silent := 0, 0, 0
	for n, at := range l.published {
		if n >= l.final {
			continue // the last ones may be on their way
		}
		switch {
		case l.printed[n] > 1 && service == "octave":
			twice++
			t.Errorf("event %d was printed %d times", n, l.printed[n])
		case l.printed[n] == 0:
			missing++
			if later, ok := l.published[n+soakLate]; ok {
				at[1] = later[1]
			}
			if !l.reported(at) {
				silent++
				t.Errorf("event %d of %s was lost without a word; the gaps: %v", n, at[0].Format("15:04:05.000"), l.near(at[0]))
			}
		}
		if twice+silent > 2000 {
			t.Fatal("and so on")
		}
	}
	if missing > 0 && service == "octave" {
		t.Errorf("%d events of Octave were not filled in; warnings: %q", missing, l.warnings)
	}
	t.Logf("%d events, %d attempts, %d gaps, %d events in gaps", len(l.published), l.attempts, len(l.gaps), missing)
	if l.attempts < 3 {
		t.Errorf("only %d attempts: the faults did not come", l.attempts)
	}
}

// soakLate is how many more events may have been published until the emulator writes an
// event to a socket: it answers the publisher before, and a busy machine may delay it.
const soakLate = 5

// near lists the gaps that begin or end within five seconds of a time.
func (l *soakLog) near(at time.Time) (gaps []string) {
	for _, g := range l.gaps {
		if g.To.After(at.Add(-5*time.Second)) && g.From.Before(at.Add(5*time.Second)) {
			gaps = append(gaps, fmt.Sprintf("%s to %s, filled %t", g.From.Format("15:04:05.000"), g.To.Format("15:04:05.000"), g.Filled))
		}
	}
	return gaps
}

// reported reports whether an event happened in a gap that was reported.
func (l *soakLog) reported(at [2]time.Time) bool {
	for _, g := range l.gaps {
		if !g.Filled && !at[1].Before(g.From) && !at[0].After(g.To) {
			return true
		}
	}
	return false
}

func soakService(t *testing.T, e *emulator.Emulator, base, name string, transport *http.Transport) proto.Service {
	switch name {
	case "drogue":
		return &drogue.Service{
			Endpoint: "ws" + base[len("http"):] + "/drogue", Application: drogueemu.DemoApplication, Renewable: true,
			Token: func(context.Context) (secret.Value, error) {
				s, err := drogueemu.Token(base, time.Hour)
				return secret.Value(s), err
			},
		}
	case "doshii":
		return &doshii.Service{
			Endpoint: base + "/doshii", Path: "/app/socket/v3", AppVersion: "1.0.0", Heartbeat: time.Second,
			Auth: prototest.StaticToken(doshii.Auth(doshiiemu.ClientID)),
		}
	}
	client := &http.Client{Transport: transport}
	token := prototest.StaticToken(octaveemu.Token)
	return &octave.Service{
		Endpoint: base + "/octave", User: octaveemu.User, Company: octaveemu.Company, Token: token,
		Streams: []string{octaveemu.DemoStream}, AckTimeout: 5 * time.Second, Heartbeat: time.Second, Client: client,
		Backfill: true,
		API: &octave.API{
			Base: base + "/octave/v5.0", User: octaveemu.User, Company: octaveemu.Company, Token: token,
			Client: client, Timeout: 5 * time.Second,
		},
	}
}
