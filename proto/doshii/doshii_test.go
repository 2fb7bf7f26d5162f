package doshii

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/prototest"
)

func newSession() *session {
	return &session{d: &Service{AppVersion: "1.4.0", Heartbeat: 30 * time.Second}}
}

func TestDecode(t *testing.T) {
	const ms = 1795435200000 // prototest.Noon
	tests := []struct {
		name, message string
		want          prototest.Step
	}{
		{"event", `{"emit":["order_created",{"id":"1"}]}`, prototest.Step{Event: true}},
		{"event without payload", `{"emit":["order_created"]}`, prototest.Step{Event: true}},
		{"event with spaces", ` { "emit" : [ "order_created" ] }`, prototest.Step{Event: true}},
		{"documented event", `{"type":"order_created","data":{}}`, prototest.Step{Event: true}},
		{"webhook event", `{"event":"order_created","data":{}}`, prototest.Step{Event: true}},
		{"wrapped event", `{"type":"message","data":{"emit":["x",{}]}}`, prototest.Step{Event: true}},
		{"unknown object", `{"new":true}`, prototest.Step{Event: true}},
		{"array", `[1]`, prototest.Step{Event: true}},
		{"string", `"hello"`, prototest.Step{Event: true}},
		{"not JSON", `hello`, prototest.Step{Event: true}},
		{"odd types", `{"doshii":7,"emit":{}}`, prototest.Step{Event: true}},
		{"pong", fmt.Sprintf(`{"doshii":{"pong":%d,"version":"3.2.0"}}`, ms-12), prototest.Step{Ready: true, Heartbeat: true, RTT: 12 * time.Millisecond, Note: "pong after 12ms"}},
		{"pong of the server's clock", `{"doshii":{"pong":1}}`, prototest.Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"pong 0", `{"doshii":{"pong":0}}`, prototest.Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"wrapped pong", `{"type":"message","data":{"doshii":{"pong":0}}}`, prototest.Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"legacy pong", `"primus::pong::1"`, prototest.Step{Ready: true, Heartbeat: true, Note: "pong"}},
		{"legacy ping", `"primus::ping::12"`, prototest.Step{Note: "ping of the server answered", Send: []proto.Frame{proto.Text([]byte(`"primus::pong::12"`))}}},
		{"legacy close", `"primus::server::close"`, prototest.Step{Note: "the server is about to close"}},
		{"ping", `{"doshii":{"ping":1700000000000,"version":"3.2.0"}}`, prototest.Step{
			Note: "ping of the server answered",
			Send: []proto.Frame{proto.Text([]byte(`{"doshii":{"pong":1700000000000,"version":"1.4.0"}}`))},
		}},
		{"ping 0", `{"doshii":{"ping":0}}`, prototest.Step{
			Note: "ping of the server answered",
			Send: []proto.Frame{proto.Text([]byte(`{"doshii":{"pong":0,"version":"1.4.0"}}`))},
		}},
		{"deeply wrapped", `{"type":"message","data":{"type":"message","data":{"doshii":{"pong":1}}}}`, prototest.Step{Event: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession()
			s.OnOpen(prototest.Noon)
			got, err := prototest.Decode(s, proto.Message{Data: []byte(tt.message), Time: prototest.Noon})
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.message, diff)
			}
		})
	}
}

func TestHeartbeat(t *testing.T) {
	s := newSession()
	if diff := cmp.Diff([]string{`{"doshii":{"ping":1795435200000,"version":"1.4.0"}}`}, prototest.Texts(prototest.Frames(s.OnOpen(prototest.Noon)))); diff != "" {
		t.Errorf("first heartbeat (-want +got):\n%s", diff)
	}
	for i := 1; i <= 5; i++ {
		now := prototest.Noon.Add(time.Duration(i) * 30 * time.Second)
		s.Decode(proto.Message{Data: []byte(`{"doshii":{"pong":0}}`), Time: now.Add(-29 * time.Second)})
		w, err := s.Tick(now)
		if err != nil || len(prototest.Frames(w.Effects)) != 1 || !w.Next.Equal(now.Add(30*time.Second)) && i < 5 {
			t.Errorf("heartbeat %d: %d frames, next %s, %v", i, len(prototest.Frames(w.Effects)), w.Next, err)
		}
	}
	last := prototest.Noon.Add(121 * time.Second) // of the pongs
	if _, err := s.Tick(last.Add(60*time.Second - 1)); err != nil {
		t.Errorf("just before two periods: %v", err)
	}
	_, err := s.Tick(last.Add(60 * time.Second))
	if err == nil || err.Error() != "connection lost: no pong within two heartbeat periods (1m0s)" {
		t.Errorf("after two periods: %v", err)
	}
}

func TestHandshake(t *testing.T) {
	d := &Service{Endpoint: "wss://socket.sandbox.doshii.co", Path: wire.PathAppV3, DeviceID: "rj7DnGBL", Auth: prototest.StaticToken(Auth("some23Clients30edID"))}
	hs, err := d.Start().Handshake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = "wss://socket.sandbox.doshii.co/app/socket/v3?auth=c29tZTIzQ2xpZW50czMwZWRJRA%3D%3D&deviceId=rj7DnGBL"
	if hs.URL != want || hs.Address != "wss://socket.sandbox.doshii.co/app/socket/v3" {
		t.Errorf("URL %s\naddress %s", hs.URL, hs.Address)
	}
	if diff := cmp.Diff([]string{"c29tZTIzQ2xpZW50czMwZWRJRA==", "some23Clients30edID"}, hs.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

func TestEncoded(t *testing.T) {
	jwtID := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHAiOiJ4In0.abc"
	for id, want := range map[string]bool{
		"some23Clients30edID":              false,
		"c29tZTIzQ2xpZW50czMwZWRJRA==":     true,
		jwtID:                              false,
		"eyJhbGciOiJIUzI1NiJ9":             false, // the head of a JSON Web Token is JSON
		"":                                 false,
		"abcdabcdabcdabcdabcd":             false,
		Auth(secret.Value(jwtID)).Reveal(): true,
	} {
		if got := Encoded(secret.Value(id)); got != want {
			t.Errorf("Encoded(%q) = %t", id, got)
		}
	}
}

// What the vendor's documents and public code send is decoded correctly.
func TestVendorMessages(t *testing.T) {
	seen := 0
	for name, m := range prototest.Messages(t, "doshii") {
		step, err := prototest.Decode(newSession(), proto.Message{Data: m, Time: prototest.Noon})
		switch {
		case strings.Contains(name, "health-check"):
			seen++
			if err != nil || step.Event || len(step.Send) != 1 || !strings.Contains(string(step.Send[0].Payload), `"pong"`) {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		case strings.Contains(string(m), `"emit"`) || strings.HasPrefix(name, "documented-") && !strings.Contains(name, "pong"):
			seen++
			if err != nil || !step.Event {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		case strings.Contains(name, "pong"):
			seen++
			if err != nil || !step.Ready || step.Event {
				t.Errorf("%s: %+v, %v", name, step, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d messages were tried", seen)
	}
}

func FuzzDecode(f *testing.F) {
	prototest.FuzzDecode(f, "doshii", func() proto.Session { return newSession() })
}

// Unexpected messages must not end a stream: only the refusal of a request is an error
// of Decode.
func TestDecodeErrorsAreRefusals(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[", `{"head":1}`, `{"head":{"ok":"yes"}}`, "\xff"} {
		s := newSession()
		s.OnOpen(prototest.Noon)
		if _, err := prototest.Decode(s, proto.Message{Data: []byte(text), Time: prototest.Noon}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCommands(t *testing.T) {
	now := time.Now()
	s := &session{d: &Service{Heartbeat: time.Minute}, beat: now}
	effects, _, err := s.Command("heartbeat", nil, now)
	if err != nil || len(prototest.Frames(effects)) != 1 || !s.beat.Equal(now.Add(time.Minute)) {
		t.Errorf("heartbeat: %v, %d frames, next %s", err, len(prototest.Frames(effects)), s.beat)
	}
}
