// Package prototest helps to test services: it has their sessions decode messages, and
// makes the results comparable.
package prototest

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/vectors"
	"github.com/hark-cli/hark/proto"
)

// Noon is a time for tests.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A Step is the result of decoding a message, in a form for test tables.
type Step struct {
	Event                           bool
	Live, Ready, Filling, Heartbeat bool
	RTT                             time.Duration
	Send                            []proto.Frame
	Note, Answer, Warning           string
	Secrets                         []string
	Inject                          []proto.Message
	Events                          []string
	Resumed                         bool
	Gaps                            []proto.GapReport
	Numbers                         []string // with the name of their sequence, if it has one
}

// StepOf returns the Step of effects.
func StepOf(effects []proto.Effect) (s Step) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case proto.Send:
			s.Send = append(s.Send, e...)
		case proto.Secrets:
			s.Secrets = append(s.Secrets, e...)
		case proto.StreamLive:
			s.Live = true
		case proto.StreamReady:
			s.Ready, s.Filling = true, e.Filling
		case proto.HeartbeatAnswered:
			s.Heartbeat, s.RTT = true, e.RTT
		case proto.GapReports:
			s.Gaps = append(s.Gaps, e...)
		case proto.Numbers:
			for _, n := range e {
				s.Numbers = append(s.Numbers, strings.TrimSpace(fmt.Sprintf("%d %s", n.Value, n.By)))
			}
		case proto.Inject:
			s.Inject = append(s.Inject, e...)
		case proto.Events:
			for _, m := range e {
				s.Events = append(s.Events, string(m.Data))
			}
		case proto.Resumed:
			s.Resumed = true
		case proto.Note:
			s.Note += string(e)
		case proto.Answer:
			s.Answer += string(e)
		case proto.Warning:
			s.Warning += string(e)
		}
	}
	return s
}

// Decode has a session decode a message.
func Decode(s proto.Session, m proto.Message) (Step, error) {
	event, effects, err := s.Decode(m)
	step := StepOf(effects)
	step.Event = event
	return step, err
}

// Frames returns the frames that effects send.
func Frames(effects []proto.Effect) []proto.Frame { return StepOf(effects).Send }

// Messages returns the vendor messages of a service in testdata.
func Messages(t testing.TB, service string) map[string][]byte {
	t.Helper()
	return vectors.Files(t, "testdata")
}

func Texts(frames []proto.Frame) []string {
	var out []string
	for _, f := range frames {
		out = append(out, string(f.Payload))
	}
	return out
}

// JWT returns a token with the given expiry and an invalid signature.
func JWT(exp time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d}`, exp.Unix())) + ".c2ln"
}

// JWTIssued is JWT with the time at which it was issued.
func JWTIssued(iat, exp time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d,"iat":%d}`, exp.Unix(), iat.Unix())) + ".c2ln"
}

// FuzzDecode fuzzes the Decode method of sessions, with the messages of testdata as
// seeds.
func FuzzDecode(f *testing.F, service string, session func() proto.Session) {
	for _, m := range Messages(f, service) {
		f.Add(m, false)
	}
	f.Add([]byte(`{"head":null,"type":null}`), true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		before := string(data)
		s := session()
		s.OnOpen(Noon)
		step, err := Decode(s, proto.Message{Data: data, Binary: binary, Time: Noon})
		if step.Event && (err != nil || len(step.Send) > 0) {
			t.Errorf("an event with an error or an answer: %+v, %v", step, err)
		}
		for _, r := range step.Send {
			if !r.Opcode.Control() && len(r.Payload) > len(data)+100 {
				t.Errorf("an answer of %d bytes to a message of %d", len(r.Payload), len(data))
			}
		}
		if string(data) != before {
			t.Fatal("the message was changed")
		}
	})
}

// VerdictOf returns the verdict of a service on an error that has ended an attempt.
func VerdictOf(svc proto.Service, err error) proto.Verdict {
	v := svc.(proto.Classifier).Classify(err)
	if v.Class == proto.Unknown {
		v.Class = proto.Classify(svc, err)
	}
	return v
}

// StaticToken returns a source of a constant credential.
func StaticToken(v secret.Value) proto.TokenSource {
	return func(context.Context) (secret.Value, error) { return v, nil }
}
