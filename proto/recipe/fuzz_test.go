package recipe

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto"
)

// fuzzed are the recipes that any messages are tried on.
func fuzzed(t testing.TB) (all []*Recipe) {
	t.Helper()
	for _, pattern := range []string{"testdata/*.toml", "../../recipes/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Parse(file, src)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

// What one message may make, in the tests, in bytes and events.
const (
	fuzzMaxValue = 64 << 10
	fuzzMaxSent  = maxOutputs * (fuzzMaxValue + 100)
)

// FuzzMessages has each recipe look at any messages in any order, with time between
// them: nothing panics, what is sent and kept is bounded, and what the messages contain
// is not changed.
func FuzzMessages(f *testing.F) {
	seeds := []string{
		"{\"type\":\"auth_required\"}\n{\"type\":\"auth_ok\"}\n{\"id\":1,\"type\":\"result\",\"success\":true}\n{\"type\":\"event\",\"event\":{\"a\":1}}\n{\"type\":\"pong\"}",
		"{\"op\":10,\"d\":{\"heartbeat_interval\":1}}\n{\"op\":0,\"s\":1,\"t\":\"READY\",\"d\":{\"session_id\":\"s\",\"resume_gateway_url\":\"wss://x\"}}\n{\"op\":7}\n{\"op\":9,\"d\":false}\n{\"op\":1}",
		"{\"type\":\"connection_ack\"}\n{\"type\":\"next\",\"id\":\"1\",\"payload\":{}}\n{\"type\":\"ping\",\"payload\":{}}\n{\"type\":\"complete\",\"id\":\"1\"}",
		"{\"emit\":[\"order_created\",{}]}\n{\"doshii\":{\"pong\":1}}\n\"primus::ping::1\"\n{\"emit\":[\"health_check\",{\"ping\":1}]}",
		"{\"op\":10,\"d\":{\"heartbeat_interval\":-1e308}}\n{\"op\":10,\"d\":{\"heartbeat_interval\":\"x\"}}\n{\"op\":10}\n{\"op\":0,\"s\":{},\"d\":5}",
		"[]\n5\nnull\n\xff\n{\"type\":[[[[]]]]}",
	}
	all := fuzzed(f)
	var now time.Time
	var services []*Service
	for _, r := range all {
		svc, err := r.Service(Options{
			Values:     map[string]any{"token": "s3cret", "url": "wss://h/x", "query": "subscription { x }"},
			AckTimeout: 20 * time.Second, Now: func() time.Time { return now },
			Limits: Limits{MaxValue: fuzzMaxValue, Timeout: 5 * time.Second, Random: func() float64 { return 0.5 }},
		})
		if err != nil {
			f.Fatal(err)
		}
		services = append(services, svc)
	}
	for _, seed := range seeds {
		for which := range all {
			f.Add([]byte(seed), uint8(which), uint16(1000), false)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, which uint8, pause uint16, binary bool) {
		if len(text) > 4<<10 {
			return
		}
		svc := services[int(which)%len(services)]
		now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
		run := svc.Start().(*run)
		var s *session
		for message := range bytes.SplitSeq(text, []byte("\n")) {
			if s == nil {
				hs, err := run.Handshake(t.Context())
				if err != nil {
					if _, ok := errors.AsType[*proto.HandshakeError](err); !ok {
						t.Fatalf("%T: %v", err, err)
					}
					return
				}
				s = hs.Session.(*session)
				bounded(t, s.OnOpen(now))
			}
			before := string(message)
			_, effects, err := s.Decode(proto.Message{Data: message, Binary: binary, Time: now})
			bounded(t, effects)
			if string(message) != before {
				t.Fatal("the message was changed")
			}
			now = now.Add(time.Duration(pause) * time.Millisecond)
			if err == nil {
				var w proto.Work
				w, err = s.Tick(now)
				bounded(t, w.Effects)
				if !w.Next.IsZero() && !w.Next.After(now) && w.Do == nil && err == nil {
					t.Errorf("what is due is %s ago", now.Sub(w.Next))
				}
			}
			if n := max(size(run.state), size(run.cursor)); n > fuzzMaxValue+1000 {
				t.Errorf("the state or the cursor has %d bytes", n)
			}
			if err != nil {
				s.OnClose()
				s.Ended(err)
				svc.Classify(err)
				s = nil
			}
		}
	})
}

// bounded checks that effects are not too large.
func bounded(t *testing.T, effects []proto.Effect) {
	t.Helper()
	sent, made := 0, 0
	for _, effect := range effects {
		switch e := effect.(type) {
		case proto.Send:
			for _, f := range e {
				sent += len(f.Payload) + 1
			}
		case proto.Events:
			for _, m := range e {
				made += len(m.Data)
			}
		}
	}
	if sent > fuzzMaxSent || made > fuzzMaxSent {
		t.Errorf("%d bytes to send, %d of events", sent, made)
	}
}
