package proto

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whatever is not plainly a session is a failure that keeps what the service says.
func TestOctaveSessionAnswers(t *testing.T) {
	o := &Octave{Endpoint: "https://host/base/"}
	header := http.Header{"Date": {"Mon, 23 Nov 2026 12:00:00 GMT"}, "Retry-After": {"7"}}
	for _, tt := range []struct {
		name    string
		status  int
		body    string
		session OctaveSession
		fail    *HandshakeError // without what all failures have
	}{
		{"created", 201, `{"head":{"status":201,"ok":true,"errors":[]},"body":{"id":"w/1"}}`,
			OctaveSession{"w/1", "wss://host/base/session/w%2F1/ws", noon}, nil},
		{"ok", 200, `{"body":{"id":"w1"}}`, OctaveSession{"w1", "wss://host/base/session/w1/ws", noon}, nil},
		{"errors with a status of success", 201, `{"head":{"errors":["no","never"]},"body":{"id":"w1"}}`,
			OctaveSession{}, &HandshakeError{Body: "no; never"}},
		{"errors", 403, `{"head":{"errors":["no right"]}}`, OctaveSession{}, &HandshakeError{Body: "no right"}},
		{"a page", 502, `<html>`, OctaveSession{}, &HandshakeError{Body: "<html>"}},
		{"another success", 202, `{"body":{"id":"w1"}}`, OctaveSession{}, &HandshakeError{Body: `{"body":{"id":"w1"}}`}},
		{"no id", 201, `{"body":{}}`, OctaveSession{}, &HandshakeError{Err: &ProtocolError{}}},
		{"no JSON", 201, `w1`, OctaveSession{}, &HandshakeError{Err: &ProtocolError{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := o.granted(&http.Response{StatusCode: tt.status, Header: header}, []byte(tt.body), "address")
			if got != tt.session {
				t.Errorf("session %+v, want %+v", got, tt.session)
			}
			fail, _ := err.(*HandshakeError)
			if (fail == nil) != (tt.fail == nil) {
				t.Fatalf("error %v", err)
			}
			if fail == nil {
				return
			}
			if fail.Stage != StageSession || fail.Address != "address" || fail.Status != tt.status || fail.RetryAfter != 7*time.Second {
				t.Errorf("error %+v", fail)
			}
			if fail.Body != tt.fail.Body || is[*ProtocolError](fail.Err) != (tt.fail.Err != nil) {
				t.Errorf("body %q, cause %v", fail.Body, fail.Err)
			}
		})
	}
}

// A subscription is acknowledged by "ok":true and by nothing else.
func TestOctaveIsNotOK(t *testing.T) {
	for rest, want := range map[string]*RefusedError{
		`"ok":false,"status":404,"errors":["gone"]`: {Request: "subscription to /a", Status: 404, Reasons: []string{"gone"}},
		`"ok":false`:   {Request: "subscription to /a"},
		`"status":200`: {Request: "subscription to /a", Status: 200},
		`"errors":[]`:  {Request: "subscription to /a", Reasons: []string{}},
	} {
		s := newOctaveSession("/a")
		s.Greet(noon)
		step, err := s.Decode(Message{Data: ack(`"subscribe-1"`, rest)})
		if diff := cmp.Diff(error(want), err); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rest, diff)
		}
		if diff := cmp.Diff(Step{}, step); diff != "" {
			t.Errorf("%s: %s", rest, diff)
		}
	}
}
