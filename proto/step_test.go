package proto

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/vectors"
)

// A Step is what a session has said of a message, in a form that a table can hold.
type Step struct {
	Event                           bool
	Live, Ready, Filling, Heartbeat bool
	RTT                             time.Duration
	Send                            []Frame
	Note, Answer, Warning           string
	Secrets                         []string
	Inject                          []Message
	Gaps                            []GapReport
}

// stepOf makes a Step of effects.
func stepOf(effects []Effect) (s Step) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Send:
			s.Send = append(s.Send, e...)
		case Secrets:
			s.Secrets = append(s.Secrets, e...)
		case StreamLive:
			s.Live = true
		case StreamReady:
			s.Ready, s.Filling = true, e.Filling
		case HeartbeatAnswered:
			s.Heartbeat, s.RTT = true, e.RTT
		case GapReports:
			s.Gaps = append(s.Gaps, e...)
		case Inject:
			s.Inject = append(s.Inject, e...)
		case Note:
			s.Note += string(e)
		case Answer:
			s.Answer += string(e)
		case Warning:
			s.Warning += string(e)
		}
	}
	return s
}

// decode has a session look at a message.
func decode(s Session, m Message) (Step, error) {
	event, effects, err := s.Decode(m)
	step := stepOf(effects)
	step.Event = event
	return step, err
}

// framesOf are the frames that effects send.
func framesOf(effects []Effect) []Frame { return stepOf(effects).Send }

// messages are the messages of one service in testdata.
func messages(t testing.TB, service string) map[string][]byte {
	t.Helper()
	return vectors.Files(t, "testdata/"+service)
}

func texts(frames []Frame) []string {
	var out []string
	for _, f := range frames {
		out = append(out, string(f.Payload))
	}
	return out
}

// jwt is a token with that expiry, with a signature that nobody checks here.
func jwt(exp time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d}`, exp.Unix())) + ".c2ln"
}

// jwtIssued is jwt with the time at which it was issued.
func jwtIssued(iat, exp time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(fmt.Appendf(nil, `{"exp":%d,"iat":%d}`, exp.Unix(), iat.Unix())) + ".c2ln"
}

// fuzzDecode has sessions look at anything, beginning with the messages of testdata.
func fuzzDecode(f *testing.F, service string, session func() Session) {
	for _, m := range messages(f, service) {
		f.Add(m, false)
	}
	f.Add([]byte(`{"head":null,"type":null}`), true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		before := string(data)
		s := session()
		s.Greet(noon)
		step, err := decode(s, Message{Data: data, Binary: binary, Time: noon})
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
