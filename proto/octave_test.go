package proto

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/netdial"
)

func newOctaveSession(streams ...string) *octaveSession {
	return &octaveSession{o: &Octave{Streams: streams, AckTimeout: 10 * time.Second, Heartbeat: 20 * time.Second}}
}

func TestOctaveGreet(t *testing.T) {
	s := newOctaveSession("/my/stream/path", "s53b1d1600cf27b75148de0ac")
	step := stepOf(s.Greet(noon))
	want := []string{
		`{"msgId":"subscribe-1","object":"event","type":"subscribe","path":"/my/stream/path"}`,
		`{"msgId":"subscribe-2","object":"event","type":"subscribe","streamId":"s53b1d1600cf27b75148de0ac"}`,
	}
	if diff := cmp.Diff(want, texts(step.Send)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if step.Ready {
		t.Error("ready before any acknowledgement")
	}
	want = []string{
		`{"msgId":"unsubscribe-1","object":"event","type":"unsubscribe","path":"/my/stream/path"}`,
		`{"msgId":"unsubscribe-2","object":"event","type":"unsubscribe","streamId":"s53b1d1600cf27b75148de0ac"}`,
	}
	if diff := cmp.Diff(want, texts(s.Farewell())); diff != "" {
		t.Errorf("farewell (-want +got):\n%s", diff)
	}
}

func ack(id, rest string) []byte {
	return fmt.Appendf(nil, `{"head":{"msgId":%s,%s},"body":{}}`, id, rest)
}

func TestOctaveAcknowledgements(t *testing.T) {
	const ok = `"ok":true,"errors":[],"messages":["Your request has been processed successfully."]`
	s := newOctaveSession("/a", "/b")
	s.Greet(noon)
	for i, tt := range []struct {
		message string
		want    Step
	}{
		{`{"type":"message","resource":"s1","value":{}}`, Step{Event: true}}, // before its acknowledgement
		{` {"value":{"a":1},"type":"message"}`, Step{Event: true}},
		{string(ack(`"subscribe-2"`, ok)), Step{Note: "subscribed to /b"}},
		{string(ack(`"subscribe-2"`, ok)), Step{Note: "answer to another request"}},
		{string(ack(`7`, ok)), Step{Note: "answer to another request"}},
		{`{"type":"heartbeat"}`, Step{Note: "heartbeat answered", Heartbeat: true}},
		{`{"head":{}}`, Step{Note: "answer to another request"}},
		{`{"new":1}`, Step{Note: `message of an unknown kind: {"new":1}`}},
		{`hello`, Step{Warning: "a message that is not JSON of Octave was left out: hello"}},
		{string(ack(`"subscribe-1"`, ok)), Step{Note: "subscribed to /a", Ready: true}},
	} {
		got, err := decode(s, Message{Data: []byte(tt.message), Time: noon})
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d: %s (-want +got):\n%s", i, tt.message, diff)
		}
	}
}

func TestOctaveRefusal(t *testing.T) {
	s := newOctaveSession("/nothing")
	s.Greet(noon)
	_, err := decode(s, Message{Data: ack(`"subscribe-1"`, `"ok":false,"status":404,"errors":["The requested resource could not be located at this address."],"messages":[]`)})
	const want = "subscription to /nothing refused with status 404: The requested resource could not be located at this address."
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if c := Classify(&Octave{}, err); c != Refused {
		t.Errorf("class %d, want Refused", c)
	}
}

func TestOctaveDue(t *testing.T) {
	s := newOctaveSession("/a", "/b")
	s.Greet(noon)
	s.Decode(Message{Data: ack(`"subscribe-1"`, `"ok":true`)})
	w, err := s.Due(noon.Add(9 * time.Second))
	if err != nil || len(framesOf(w.Effects)) > 0 || !w.Next.Equal(noon.Add(10*time.Second)) {
		t.Errorf("after 9s: %v, next %s, %v", texts(framesOf(w.Effects)), w.Next, err)
	}
	_, err = s.Due(noon.Add(10 * time.Second))
	const want = "no acknowledgement of the subscription to /b within 10s"
	if err == nil || err.Error() != want || Classify(&Octave{}, err) != Overdue {
		t.Errorf("after 10s: %v, want %s", err, want)
	}
	s.Decode(Message{Data: ack(`"subscribe-2"`, `"ok":true`)})
	for i := 1; i <= 3; i++ {
		now := noon.Add(time.Duration(i) * 20 * time.Second)
		if w, _ := s.Due(now.Add(-time.Millisecond)); len(framesOf(w.Effects)) != 0 {
			t.Errorf("heartbeat %d is early", i)
		}
		w, err := s.Due(now)
		if diff := cmp.Diff([]string{`{"type":"heartbeat"}`}, texts(framesOf(w.Effects))); diff != "" || err != nil || !w.Next.Equal(now.Add(20*time.Second)) {
			t.Errorf("heartbeat %d: next %s, %v\n%s", i, w.Next, err, diff)
		}
	}
}

func TestOctaveJudge(t *testing.T) {
	o := &Octave{}
	for _, tt := range []struct {
		err  error
		want Verdict
	}{
		{&HandshakeError{Stage: StageSession, Status: 400}, Verdict{Class: Credentials}},
		{&HandshakeError{Stage: StageSession, Status: 401}, Verdict{Class: Credentials}},
		{&HandshakeError{Stage: StageSession, Status: 403}, Verdict{Class: Credentials}},
		{&HandshakeError{Stage: StageSession, Status: 404}, Verdict{Class: Unreachable}},
		{&HandshakeError{Stage: StageSession, Status: 429}, Verdict{Class: Transient}},
		{&HandshakeError{Stage: StageSession, Status: 500}, Verdict{Class: Transient}},
		{&HandshakeError{Stage: netdial.StageUpgrade, Status: 404}, Verdict{Class: Transient, Free: true}},
		{&HandshakeError{Stage: netdial.StageUpgrade, Status: 401}, Verdict{Class: Transient, Free: true}},
		{&HandshakeError{Stage: netdial.StageUpgrade, Status: 502}, Verdict{Class: Transient}},
		{&HandshakeError{Stage: StageSession, Err: &RefusedError{}}, Verdict{Class: Refused}},
		{&CloseError{Code: 1008}, Verdict{Class: Transient}},
		{&LostError{errors.New("the server ended it")}, Verdict{Class: Transient}},
		{&TooBigError{Limit: 1}, Verdict{Class: Refused}},
	} {
		if got := judge(o, tt.err, false); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.err, got, tt.want)
		}
	}
}

// What the vendor's documents and public code send is told apart rightly.
func TestOctaveVendorMessages(t *testing.T) {
	s := newOctaveSession("/my/stream/path")
	s.Greet(noon)
	s.awaited = map[string]string{"my-path-request": "/my/stream/path"}
	seen := 0
	for name, m := range messages(t, "octave") {
		if strings.HasPrefix(name, "message") || strings.HasPrefix(name, "push") {
			seen++
			if step, err := decode(s, Message{Data: m}); err != nil || !step.Event {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		}
		if strings.HasPrefix(name, "ack") && strings.Contains(string(m), "my-path-request") {
			seen++
			if step, err := decode(s, Message{Data: m}); err != nil || !step.Ready {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		}
	}
	if seen < 2 {
		t.Errorf("only %d messages were tried", seen)
	}
}

func FuzzOctaveDecode(f *testing.F) {
	fuzzDecode(f, "octave", func() Session { return newOctaveSession("/a") })
}

// What nobody can do anything about must not stop a stream: only what has been
// asked for and refused is an error of Decode.
func TestOctaveDecodeErrorsAreRefusals(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[", `{"head":1}`, `{"head":{"ok":"yes"}}`, "\xff"} {
		s := newOctaveSession("/a", "/b")
		s.Greet(noon)
		if _, err := decode(s, Message{Data: []byte(text), Time: noon}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
