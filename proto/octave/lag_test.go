package octave_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/prototest"
)

// A lateStore is an Octave whose REST interface shows events late, stores a limited
// number, and fails now and then. Its nodes' clocks differ a little.
type lateStore struct {
	lag      time.Duration
	skew     time.Duration // of the service's clock
	dates    bool          // answers have a Date header
	capacity int

	mu     sync.Mutex
	rand   *rand.Rand
	made   []*lateEvent            // all of them
	stored map[string][]*lateEvent // by stream, in the order in which they were made
	last   int64
	socket *websocket.Conn // of the subscription that is live
}

type lateEvent struct {
	ID           string         `json:"id"`
	StreamID     string         `json:"streamId"`
	CreationDate int64          `json:"creationDate"`
	Elems        map[string]int `json:"elems"`

	made time.Time
}

// make creates an event, evicts another one, and pushes it.
func (s *lateStore) make(stream string) {
	s.mu.Lock()
	now := time.Now()
	at := now.Add(s.skew).UnixMilli()
	if s.rand.IntN(3) == 0 && s.last != 0 {
		at = max(at-int64(s.rand.IntN(20)), s.last-15)
	}
	s.last = max(at, s.last)
	n := len(s.made)
	e := &lateEvent{fmt.Sprintf("e%d", n), stream, at, map[string]int{"n": n}, now}
	s.made = append(s.made, e)
	l := append(s.stored[stream], e)
	if len(l) > s.capacity {
		oldest := 0
		for i := range l {
			if l[i].CreationDate < l[oldest].CreationDate {
				oldest = i
			}
		}
		l = slices.Delete(l, oldest, oldest+1)
	}
	s.stored[stream] = l
	socket := s.socket
	s.mu.Unlock()
	if socket != nil {
		value, _ := json.Marshal(e)
		_ = socket.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"type":"message","resource":%q,"value":%s}`, stream, value))
	}
}

func (s *lateStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.dates {
		w.Header().Set("Date", time.Now().Add(s.skew).UTC().Format(http.TimeFormat))
	} else {
		w.Header()["Date"] = nil
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch last := path[len(path)-1]; {
	case last == "session":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"head":{"ok":true,"status":201},"body":{"id":"session"}}`)
	case last == "ws":
		s.subscribe(w, r)
	case path[len(path)-2] == "stream":
		fmt.Fprintf(w, `{"head":{"ok":true,"status":200},"body":{"id":%q,"path":"/acme/%s","capacity":%d}}`, last, last, s.capacity)
	case path[len(path)-2] == "event":
		s.query(w, r.URL.Query(), last)
	default:
		http.NotFound(w, r)
	}
}

func (s *lateStore) subscribe(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		_, p, err := c.Read(r.Context())
		if err != nil {
			break
		}
		var q struct {
			MsgID json.RawMessage
			Type  string
		}
		if json.Unmarshal(p, &q) != nil || q.Type != "subscribe" {
			continue
		}
		s.mu.Lock()
		s.socket = c
		s.mu.Unlock()
		_ = c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"head":{"msgId":%s,"ok":true},"body":{}}`, q.MsgID))
	}
	s.mu.Lock()
	if s.socket == c {
		s.socket = nil
	}
	s.mu.Unlock()
}

func (s *lateStore) query(w http.ResponseWriter, q url.Values, stream string) {
	from, _ := strconv.ParseInt(strings.TrimPrefix(q.Get("filter"), "creationDate>="), 10, 64)
	start, _ := strconv.Atoi(q.Get("start"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	s.mu.Lock()
	fault := s.rand.IntN(12)
	page := []*lateEvent{}
	for _, e := range s.stored[stream] {
		if e.CreationDate >= from && time.Since(e.made) >= s.lag {
			page = append(page, e)
		}
	}
	s.mu.Unlock()
	slices.SortStableFunc(page, func(a, b *lateEvent) int { return int(a.CreationDate - b.CreationDate) })
	page = page[min(start, len(page)):]
	page = page[:min(limit, len(page))]
	body, _ := json.Marshal(page)
	switch fault {
	case 0, 1:
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	case 2:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1000))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case 3:
		time.Sleep(700 * time.Millisecond)
	case 4:
		fmt.Fprint(w, `{"head":{"status":500,"ok":false,"errors":["no"]},"body":{}}`)
		return
	}
	fmt.Fprintf(w, `{"head":{"status":200,"ok":true},"body":%s}`, body)
}

// Even if the REST interface shows events late, has evicted them or does not answer, no
// event is missing outside of a reported gap. The delays before reconnecting differ
// from run to run, so -count finds more.
func TestLateStore(t *testing.T) {
	for _, tt := range []struct {
		name      string
		lag, skew time.Duration
		dates     bool
	}{
		{"late", 800 * time.Millisecond, 0, true},
		{"no Date and another clock", 0, -time.Hour, false},
	} {
		for seed := range 2 {
			t.Run(fmt.Sprintf("%s/%d", tt.name, seed), func(t *testing.T) {
				store := lateStore{lag: tt.lag, skew: tt.skew, dates: tt.dates, capacity: []int{300, 100}[seed]}
				synctest.Test(t, func(t *testing.T) { store.run(t, uint64(seed)) })
			})
		}
	}
}

func (s *lateStore) run(t *testing.T, seed uint64) {
	s.rand, s.stored = rand.New(rand.NewPCG(seed, 1)), map[string][]*lateEvent{}
	n := emulator.NewNetwork(s)
	defer n.Close()
	cuts := &cutter{dial: n.DialContext}
	transport := &http.Transport{DialContext: cuts.DialContext}
	defer transport.CloseIdleConnections()
	rest := &http.Transport{DialContext: n.DialContext}
	defer rest.CloseIdleConnections()
	const base = "http://octave.example"
	streams := []string{"s000000000000000000000001", "s000000000000000000000002"}
	token := prototest.StaticToken(secret.Value("token"))
	o := &octave.Service{
		Endpoint: base, User: "user", Company: "acme", Token: token, Streams: streams,
		AckTimeout: 3 * time.Second, Heartbeat: 20 * time.Second, Client: &http.Client{Transport: transport},
		Backfill: true, BackfillDelay: 5 * time.Second,
		API: &octave.API{Base: base, User: "user", Company: "acme", Token: token, Client: &http.Client{Transport: rest}, Timeout: 10 * time.Second},
	}
	type span struct{ from, to time.Time }
	var gaps []span
	var ready time.Time
	options := proto.DefaultOptions()
	options.Transport, options.Retries = transport, 10_000
	options.Trace.Status = func(st proto.Status) {
		switch s := st.State.(type) {
		case proto.Ready:
			if ready.IsZero() {
				ready = st.Time
			}
		case proto.Gap:
			if !s.Filled {
				gaps = append(gaps, span{s.From, s.To})
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	faults := rand.New(rand.NewPCG(seed, 2))
	makes := rand.New(rand.NewPCG(seed, 3))
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Duration(makes.IntN(34)) * time.Millisecond):
			}
			s.make(streams[makes.IntN(2)])
		}
	})
	wg.Go(func() {
		for range 12 {
			time.Sleep(time.Duration([]int{40, 500, 1300, 9000}[faults.IntN(4)]*(1+faults.IntN(100))/100) * time.Millisecond)
			cuts.cut(time.Duration(faults.IntN(5)*faults.IntN(2000)) * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		close(end)
		time.Sleep(20 * time.Second)
		cancel(prototest.ErrEnough)
	})
	seen := &idTally{seen: map[string]int{}}
	if err := proto.Run(ctx, o, seen, options); !errors.Is(err, prototest.ErrEnough) {
		t.Errorf("Run: %v", err)
	}
	wg.Wait()
	covered := func(e *lateEvent) bool {
		const slack = 50 * time.Millisecond
		return slices.ContainsFunc(gaps, func(g span) bool { return !e.made.Before(g.from.Add(-slack)) && !e.made.After(g.to.Add(slack)) })
	}
	missing := 0
	for _, e := range s.made {
		switch {
		case seen.seen[e.ID] > 1:
			t.Errorf("%s came %d times", e.ID, seen.seen[e.ID])
		case seen.seen[e.ID] == 0 && e.made.After(ready) && !covered(e):
			if missing++; missing < 4 {
				t.Errorf("%s of %s, made %s (%d), is missing outside of all gaps %v", e.ID, e.StreamID, e.made.Format("05.000"), e.CreationDate, gaps)
			}
		}
	}
}

// An idTally counts how often each event has arrived.
type idTally struct{ seen map[string]int }

func (i *idTally) Event(ev *proto.Event) error {
	var m struct{ Value struct{ ID string } }
	if err := json.Unmarshal(ev.Data, &m); err != nil {
		return err
	}
	i.seen[m.Value.ID]++
	return nil
}

func (i *idTally) Flush() error { return nil }
