package octave

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// Anything but a valid session is a failure with the message of the service.
func TestSessionAnswers(t *testing.T) {
	o := &Service{Endpoint: "https://host/base/"}
	header := http.Header{"Date": {"Mon, 23 Nov 2026 12:00:00 GMT"}, "Retry-After": {"7"}}
	for _, tt := range []struct {
		name    string
		status  int
		body    string
		session Session
		fail    *proto.HandshakeError // without what all failures have
	}{
		{"created", 201, `{"head":{"status":201,"ok":true,"errors":[]},"body":{"id":"w/1"}}`,
			Session{"w/1", "wss://host/base/session/w%2F1/ws", prototest.Noon}, nil},
		{"ok", 200, `{"body":{"id":"w1"}}`, Session{"w1", "wss://host/base/session/w1/ws", prototest.Noon}, nil},
		{"side members of other kinds", 201, `{"head":{"status":"201","ok":true,"errors":{},"messages":[{"x":1}]},"body":{"id":"w1","x":1}}`,
			Session{"w1", "wss://host/base/session/w1/ws", prototest.Noon}, nil},
		{"notices with ok", 201, `{"head":{"ok":true,"errors":"a notice"},"body":{"id":"w1"}}`,
			Session{"w1", "wss://host/base/session/w1/ws", prototest.Noon}, nil},
		{"no ok", 201, `{"head":{},"body":{"id":"w1"}}`, Session{"w1", "wss://host/base/session/w1/ws", prototest.Noon}, nil},
		{"errors with a status of success", 201, `{"head":{"errors":["no","never"]},"body":{"id":"w1"}}`,
			Session{}, &proto.HandshakeError{Err: &proto.RefusedError{Request: "session request", Reasons: []string{"no", "never"}}}},
		{"not ok", 200, `{"head":{"ok":false},"body":{"id":"w1"}}`,
			Session{}, &proto.HandshakeError{Err: &proto.RefusedError{Request: "session request"}}},
		{"credentials with a status of success", 200, `{"head":{"ok":false,"status":"401","errors":[{"why":"token"}]},"body":{}}`,
			Session{}, &proto.HandshakeError{Status: 401, Body: `{"why":"token"}`}},
		{"errors", 403, `{"head":{"errors":["no right"]}}`, Session{}, &proto.HandshakeError{Status: 403, Body: "no right"}},
		{"an error that is not a list", 403, `{"head":{"errors":"no right"}}`, Session{}, &proto.HandshakeError{Status: 403, Body: "no right"}},
		{"a page", 502, `<html>`, Session{}, &proto.HandshakeError{Status: 502, Body: "<html>"}},
		{"another success", 202, `{"body":{"id":"w1"}}`, Session{}, &proto.HandshakeError{Status: 202, Body: `{"body":{"id":"w1"}}`}},
		{"no id", 201, `{"body":{}}`, Session{}, &proto.HandshakeError{Err: &proto.ProtocolError{Err: errNoSessionID}}},
		{"an id that is not a string", 201, `{"body":{"id":7}}`, Session{}, &proto.HandshakeError{Err: &proto.ProtocolError{Err: errNoSessionID}}},
		{"no JSON", 201, `w1`, Session{}, &proto.HandshakeError{Err: &proto.ProtocolError{Err: errNoSessionID}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := o.granted(&http.Response{StatusCode: tt.status, Header: header}, []byte(tt.body), "address")
			if got != tt.session {
				t.Errorf("session %+v, want %+v", got, tt.session)
			}
			fail, _ := err.(*proto.HandshakeError)
			if (fail == nil) != (tt.fail == nil) {
				t.Fatalf("error %v", err)
			}
			if fail == nil {
				return
			}
			want := *tt.fail
			want.Stage, want.Address, want.RetryAfter = proto.StageSession, "address", 7*time.Second
			if !reflect.DeepEqual(&want, fail) {
				t.Errorf("error %+v, want %+v", fail, &want)
			}
		})
	}
}

// A subscription is acknowledged by "ok":true and by nothing else.
func TestIsNotOK(t *testing.T) {
	for rest, want := range map[string]*proto.RefusedError{
		`"ok":false,"status":404,"errors":["gone"]`: {Request: "subscription to /a", Status: 404, Reasons: []string{"gone"}},
		`"ok":false`:   {Request: "subscription to /a"},
		`"status":200`: {Request: "subscription to /a", Status: 200},
		`"errors":[]`:  {Request: "subscription to /a", Reasons: nil},
	} {
		s := newSession("/a")
		s.OnOpen(prototest.Noon)
		step, err := prototest.Decode(s, proto.Message{Data: ack(`"subscribe-1"`, rest)})
		if diff := cmp.Diff(error(want), err); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rest, diff)
		}
		if diff := cmp.Diff(prototest.Step{}, step); diff != "" {
			t.Errorf("%s: %s", rest, diff)
		}
	}
}

// Other members of undocumented JSON types do not affect refusals, acknowledgments and
// events.
func TestSideMembersOfAnyKind(t *testing.T) {
	for message, want := range map[string]string{
		`{"head":{"msgId":"subscribe-1","ok":true,"errors":"","status":"200","messages":[{"a":1}]},"body":[]}`: "ready",
		`{"head":{"msgId":"subscribe-1","ok":false,"errors":[{"code":"x"}],"status":"404"}}`:                   `subscription to /a refused with status 404: {"code":"x"}`,
		`{"head":{"msgId":"subscribe-1","ok":false,"errors":"gone","messages":{}}}`:                            "subscription to /a refused: gone",
		`{"head":{"ok":false,"status":403,"errors":["no right"]},"body":{}}`:                                   "subscription to /a refused with status 403: no right",
		`{"head":{"msgId":null,"ok":false,"errors":["no right"]}}`:                                             "subscription to /a refused: no right",
		`{"head":{"errors":["no right"]}}`:                                                                     "note",
		`{"type":"message","resource":5,"value":{"id":"e1","creationDate":1}}`:                                 "event",
		`{"type":"message","resource":null,"value":7}`:                                                         "event",
	} {
		s := newSession("/a")
		s.cursor = newCursor()
		s.OnOpen(prototest.Noon)
		step, err := prototest.Decode(s, proto.Message{Data: []byte(message), Time: prototest.Noon})
		got := "note"
		switch {
		case err != nil:
			got = err.Error()
		case step.Ready:
			got = "ready"
		case step.Event:
			got = "event"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", message, got, want)
		}
	}
	s := newSession("/a", "/b")
	s.OnOpen(prototest.Noon)
	step, err := prototest.Decode(s, proto.Message{Data: []byte(`{"head":{"ok":false,"errors":["no right"]}}`)})
	if err != nil || step.Warning != "the service refused a request without saying which: no right" {
		t.Errorf("with two requests: %+v, %v", step, err)
	}
}
