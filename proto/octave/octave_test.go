package octave

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

func newSession(streams ...string) *session {
	return &session{o: &Service{Streams: streams, AckTimeout: 10 * time.Second, Heartbeat: 20 * time.Second}}
}

func TestGreet(t *testing.T) {
	s := newSession("/my/stream/path", "s53b1d1600cf27b75148de0ac")
	step := prototest.StepOf(s.OnOpen(prototest.Noon))
	want := []string{
		`{"msgId":"subscribe-1","object":"event","type":"subscribe","path":"/my/stream/path"}`,
		`{"msgId":"subscribe-2","object":"event","type":"subscribe","streamId":"s53b1d1600cf27b75148de0ac"}`,
	}
	if diff := cmp.Diff(want, prototest.Texts(step.Send)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if step.Ready {
		t.Error("ready before any acknowledgment")
	}
	want = []string{
		`{"msgId":"unsubscribe-1","object":"event","type":"unsubscribe","path":"/my/stream/path"}`,
		`{"msgId":"unsubscribe-2","object":"event","type":"unsubscribe","streamId":"s53b1d1600cf27b75148de0ac"}`,
	}
	if diff := cmp.Diff(want, prototest.Texts(s.OnClose())); diff != "" {
		t.Errorf("OnClose (-want +got):\n%s", diff)
	}
}

func ack(id, rest string) []byte {
	return fmt.Appendf(nil, `{"head":{"msgId":%s,%s},"body":{}}`, id, rest)
}

func TestAcknowledgements(t *testing.T) {
	const ok = `"ok":true,"errors":[],"messages":["Your request has been processed successfully."]`
	s := newSession("/a", "/b")
	s.OnOpen(prototest.Noon)
	for i, tt := range []struct {
		message string
		want    prototest.Step
	}{
		{`{"type":"message","resource":"s1","value":{}}`, prototest.Step{Event: true}}, // before its acknowledgment
		{` {"value":{"a":1},"type":"message"}`, prototest.Step{Event: true}},
		{string(ack(`"subscribe-2"`, ok)), prototest.Step{Note: "subscribed to /b"}},
		{string(ack(`"subscribe-2"`, ok)), prototest.Step{Note: "answer to another request"}},
		{string(ack(`7`, ok)), prototest.Step{Note: "answer to another request"}},
		{`{"type":"heartbeat"}`, prototest.Step{Note: "heartbeat answered", Heartbeat: true}},
		{`{"head":{}}`, prototest.Step{Note: "answer to another request"}},
		{`{"new":1}`, prototest.Step{Note: `message of an unknown kind: {"new":1}`}},
		{`hello`, prototest.Step{Warning: "a message that is not JSON of Octave was left out: hello"}},
		{string(ack(`"subscribe-1"`, ok)), prototest.Step{Note: "subscribed to /a", Ready: true}},
	} {
		got, err := prototest.Decode(s, proto.Message{Data: []byte(tt.message), Time: prototest.Noon})
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d: %s (-want +got):\n%s", i, tt.message, diff)
		}
	}
}

func TestRefusal(t *testing.T) {
	s := newSession("/nothing")
	s.OnOpen(prototest.Noon)
	_, err := prototest.Decode(s, proto.Message{Data: ack(`"subscribe-1"`, `"ok":false,"status":404,"errors":["The requested resource could not be located at this address."],"messages":[]`)})
	const want = "subscription to /nothing refused with status 404: The requested resource could not be located at this address."
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if c := proto.Classify(&Service{}, err); c != proto.Refused {
		t.Errorf("class %d, want Refused", c)
	}
}

func TestDue(t *testing.T) {
	s := newSession("/a", "/b")
	s.OnOpen(prototest.Noon)
	s.Decode(proto.Message{Data: ack(`"subscribe-1"`, `"ok":true`)})
	w, err := s.Tick(prototest.Noon.Add(9 * time.Second))
	if err != nil || len(prototest.Frames(w.Effects)) > 0 || !w.Next.Equal(prototest.Noon.Add(10*time.Second)) {
		t.Errorf("after 9s: %v, next %s, %v", prototest.Texts(prototest.Frames(w.Effects)), w.Next, err)
	}
	_, err = s.Tick(prototest.Noon.Add(10 * time.Second))
	const want = "no acknowledgment of the subscription to /b within 10s"
	if err == nil || err.Error() != want || proto.Classify(&Service{}, err) != proto.TimedOut {
		t.Errorf("after 10s: %v, want %s", err, want)
	}
	s.Decode(proto.Message{Data: ack(`"subscribe-2"`, `"ok":true`)})
	for i := 1; i <= 3; i++ {
		now := prototest.Noon.Add(time.Duration(i) * 20 * time.Second)
		if w, _ := s.Tick(now.Add(-time.Millisecond)); len(prototest.Frames(w.Effects)) != 0 {
			t.Errorf("heartbeat %d is early", i)
		}
		w, err := s.Tick(now)
		if diff := cmp.Diff([]string{`{"type":"heartbeat"}`}, prototest.Texts(prototest.Frames(w.Effects))); diff != "" || err != nil || !w.Next.Equal(now.Add(20*time.Second)) {
			t.Errorf("heartbeat %d: next %s, %v\n%s", i, w.Next, err, diff)
		}
	}
}

func TestJudge(t *testing.T) {
	o := &Service{}
	for _, tt := range []struct {
		err  error
		want proto.Verdict
	}{
		{&proto.HandshakeError{Stage: proto.StageSession, Status: 400}, proto.Verdict{Class: proto.Credentials}},
		{&proto.HandshakeError{Stage: proto.StageSession, Status: 401}, proto.Verdict{Class: proto.Credentials}},
		{&proto.HandshakeError{Stage: proto.StageSession, Status: 403}, proto.Verdict{Class: proto.Credentials}},
		{&proto.HandshakeError{Stage: proto.StageSession, Status: 404}, proto.Verdict{Class: proto.Unreachable}},
		{&proto.HandshakeError{Stage: proto.StageSession, Status: 429}, proto.Verdict{Class: proto.Transient}},
		{&proto.HandshakeError{Stage: proto.StageSession, Status: 500}, proto.Verdict{Class: proto.Transient}},
		{&proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 404}, proto.Verdict{Class: proto.Transient, RetryNow: true}},
		{&proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 401}, proto.Verdict{Class: proto.Transient, RetryNow: true}},
		{&proto.HandshakeError{Stage: netdial.StageUpgrade, Status: 502}, proto.Verdict{Class: proto.Transient}},
		{&proto.HandshakeError{Stage: proto.StageSession, Err: &proto.RefusedError{}}, proto.Verdict{Class: proto.Refused}},
		{&proto.CloseError{Code: 1008}, proto.Verdict{Class: proto.Transient}},
		{&proto.LostError{Err: errors.New("the server ended it")}, proto.Verdict{Class: proto.Transient}},
		{&proto.TooBigError{Limit: 1}, proto.Verdict{Class: proto.Refused}},
	} {
		if got := prototest.VerdictOf(o, tt.err); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.err, got, tt.want)
		}
	}
}

// What the vendor's documents and public code send is decoded correctly.
func TestVendorMessages(t *testing.T) {
	s := newSession("/my/stream/path")
	s.OnOpen(prototest.Noon)
	s.awaited = map[string]string{"my-path-request": "/my/stream/path"}
	seen := 0
	for name, m := range prototest.Messages(t, "octave") {
		if strings.HasPrefix(name, "message") || strings.HasPrefix(name, "push") {
			seen++
			if step, err := prototest.Decode(s, proto.Message{Data: m}); err != nil || !step.Event {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		}
		if strings.HasPrefix(name, "ack") && strings.Contains(string(m), "my-path-request") {
			seen++
			if step, err := prototest.Decode(s, proto.Message{Data: m}); err != nil || !step.Ready {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		}
	}
	if seen < 2 {
		t.Errorf("only %d messages were tried", seen)
	}
}

func FuzzDecode(f *testing.F) {
	prototest.FuzzDecode(f, "octave", func() proto.Session { return newSession("/a") })
}

// Unexpected messages must not end a stream: only the refusal of a request is an error
// of Decode.
func TestDecodeErrorsAreRefusals(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[", `{"head":1}`, `{"head":{"ok":"yes"}}`, "\xff"} {
		s := newSession("/a", "/b")
		s.OnOpen(prototest.Noon)
		if _, err := prototest.Decode(s, proto.Message{Data: []byte(text), Time: prototest.Noon}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
