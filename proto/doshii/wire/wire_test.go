package wire

import (
	"encoding/json"
	"testing"

	"github.com/hark-cli/hark/internal/vectors"
)

// Every message of the vendor's documents and of their public code is decoded and
// encoded without loss.
func TestVectors(t *testing.T) {
	vectors.RoundTrip(t, "../testdata",
		vectors.Shape{Prefix: "error", Value: Error{}},
		vectors.Shape{Prefix: "primus-", Value: ""},
		vectors.Shape{Value: Message{}},
	)
}

func TestHeartbeat(t *testing.T) {
	var m Message
	if err := json.Unmarshal([]byte(`{"doshii":{"pong":0}}`), &m); err != nil {
		t.Fatal(err)
	}
	if m.Doshii == nil || m.Doshii.Pong == nil || m.Doshii.Ping != nil {
		t.Errorf("a pong of 0 is not a pong: %+v", m.Doshii)
	}
	b, err := json.Marshal(Pong(json.RawMessage("1700000000000"), ""))
	if want := `{"doshii":{"pong":1700000000000}}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}

func TestEmit(t *testing.T) {
	for _, test := range []struct {
		text, name, payload string
		ok                  bool
	}{
		{`{"emit":["a",{"b":1}]}`, "a", `{"b":1}`, true},
		{`{"emit":["a"]}`, "a", "", true},
		{`{"emit":["a",1,2]}`, "a", "1", true},
		{`{"emit":[]}`, "", "", false},
		{`{"emit":[null,1]}`, "", "1", false},
		{`{"emit":[1]}`, "", "", false},
	} {
		var m Message
		if err := json.Unmarshal([]byte(test.text), &m); err != nil {
			t.Fatal(err)
		}
		name, ok := m.Emit.Name()
		if name != test.name || ok != test.ok || string(m.Emit.Payload()) != test.payload {
			t.Errorf("%s: %q, %t, %s", test.text, name, ok, m.Emit.Payload())
		}
	}
}
