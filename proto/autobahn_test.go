package proto

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

// TestAutobahn runs the client cases of the Autobahn test suite. AUTOBAHN_URL names
// a fuzzing server:
//
//	docker run --rm -p 9001:9001 crossbario/autobahn-testsuite
//	AUTOBAHN_URL=ws://127.0.0.1:9001 go test ./proto -run Autobahn
//
// Without it, the one that "make deps" has installed is started, for the cases of
// AUTOBAHN_CASES: without that, all but most of those of compression, which take
// minutes.
//
// The suite gives a client a second to answer in most cases, which a loaded machine may
// need for itself. Cases that fail are run once more with a server that is patient.
func TestAutobahn(t *testing.T) {
	if url := os.Getenv("AUTOBAHN_URL"); url != "" {
		for _, f := range autobahn(t, strings.TrimRight(url, "/")) {
			t.Error(f)
		}
		return
	}
	failed := autobahnCases(t, cmp.Or(os.Getenv("AUTOBAHN_CASES"), autobahnSubset), 1)
	if len(failed) > 0 {
		cases := slices.Sorted(maps.Keys(failed))
		t.Logf("run again: %s", strings.Join(cases, " "))
		failed = autobahnCases(t, strings.Join(cases, ","), 30)
	}
	for _, f := range failed {
		t.Error(f)
	}
}

// autobahnCases runs cases against a server of its own, which waits patience times as
// long as the suite says. It returns what failed, by case.
func autobahnCases(t *testing.T, cases string, patience int) (failed map[string]string) {
	url, verdicts, stop := startAutobahn(t, cases, patience)
	defer stop()
	failed = autobahn(t, url)
	maps.Copy(failed, verdicts())
	return failed
}

// autobahn runs all cases and returns those that failed.
func autobahn(t *testing.T, url string) (failed map[string]string) {
	failed = make(map[string]string)
	count, err := strconv.Atoi(autobahnAsk(t, url+"/getCaseCount"))
	if err != nil || count < 1 {
		t.Fatalf("the number of cases: %d, %v", count, err)
	}
	for n := 1; n <= count; n++ {
		autobahnRun(t, fmt.Sprintf("%s/runCase?case=%d&agent=hark", url, n), echo{})
		var status struct{ Behavior string }
		answer := autobahnAsk(t, fmt.Sprintf("%s/getCaseStatus?case=%d&agent=hark", url, n))
		if err := json.Unmarshal([]byte(answer), &status); err != nil {
			t.Fatalf("the status of case %d: %q", n, answer)
		}
		if status.Behavior == "FAILED" {
			var info struct{ ID, Description string }
			answer := autobahnAsk(t, fmt.Sprintf("%s/getCaseInfo?case=%d&agent=hark", url, n))
			if err := json.Unmarshal([]byte(answer), &info); err != nil {
				t.Fatalf("the description of case %d: %q", n, answer)
			}
			failed[info.ID] = fmt.Sprintf("case %s: %s: %s", info.ID, status.Behavior, info.Description)
		}
	}
	autobahnRun(t, url+"/updateReports?agent=hark", rawSession{})
	return failed
}

// autobahnAsk is the one message that an address sends.
func autobahnAsk(t *testing.T, url string) string {
	t.Helper()
	events := autobahnRun(t, url, rawSession{})
	if len(events) == 0 {
		t.Fatalf("%s: no answer", url)
	}
	return events[0]
}

func autobahnRun(t *testing.T, url string, s Session) []string {
	o := DefaultOptions()
	o.Retries = 0
	o.ConnectTimeout = time.Minute
	o.PingInterval = 0
	o.Dial.Compression = true
	sink := &recorder{}
	err := Run(t.Context(), autobahnService{url, s}, sink, o)
	if h, ok := errors.AsType[*HandshakeError](err); ok {
		t.Fatalf("%s: %v", url, h)
	}
	return sink.got()
}

type autobahnService struct {
	url     string
	session Session
}

func (autobahnService) Name() string { return "autobahn" }

func (a autobahnService) Start() Source { return a }

func (a autobahnService) Handshake(context.Context) (*Handshake, error) {
	return &Handshake{URL: a.url, Address: a.url, Session: a.session}, nil
}

// echo sends every message back.
type echo struct{}

func (echo) OnOpen(time.Time) []Effect { return []Effect{StreamReady{}} }

func (echo) Decode(m Message) (event bool, _ []Effect, _ error) {
	op := frame.OpText
	if m.Binary {
		op = frame.OpBinary
	}
	return false, []Effect{Send{{Opcode: op, Payload: bytes.Clone(m.Data)}}}, nil
}

func (echo) OnClose() []Frame { return nil }

// The test itself is tested against a small server in its role: the second of its two
// cases is one that hark cannot pass.
func TestAutobahnHarness(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	echoed := make(map[string]string)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		c, err := wsserver.Upgrade(w, r, "", wsserver.Rules{})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.Flush(wsserver.WriteTimeout)
		p := &peer{t: t, conn: c.NetConn(), in: make(chan Frame, 10)}
		go p.read()
		n := r.URL.Query().Get("case")
		switch r.URL.Path {
		case "/getCaseCount":
			p.text("2")
		case "/runCase":
			p.text("hello " + n)
			text, _ := p.next(frame.OpText)
			mu.Lock()
			echoed[n] = text
			mu.Unlock()
		case "/getCaseStatus":
			mu.Lock()
			verdict := "OK"
			if echoed[n] != "hello 1" {
				verdict = "FAILED"
			}
			mu.Unlock()
			p.text(`{"behavior": "` + verdict + `"}`)
		case "/getCaseInfo":
			p.text(`{"id": "1.2"}`)
		}
		p.send(frame.OpClose, "\x03\xe8")
		p.untilClose()
	})}
	go s.Serve(l)
	defer s.Close()
	failed := autobahn(t, "ws://"+l.Addr().String())
	if len(failed) != 1 || failed["1.2"] == "" {
		t.Errorf("failed: %q", failed)
	}
	if last := asked[len(asked)-1]; last != "/updateReports" {
		t.Errorf("the last request was %s", last)
	}
}
