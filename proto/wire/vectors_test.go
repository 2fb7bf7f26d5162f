package wire

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// shapes says which shape a message of the test data has, by the beginning of
// its name. The first that fits wins.
var shapes = []struct {
	service, prefix string
	shape           any
}{
	{"octave", "request-", OctaveRequest{}},
	{"octave", "event-", OctaveEvent{}},
	{"octave", "session-", OctaveAnswer{}},
	{"octave", "", OctaveMessage{}},
	{"drogue", "refresh", DrogueRefresh{}},
	{"drogue", "error-", DrogueError{}},
	{"drogue", "event-", DrogueEvent{}},
	{"drogue", "endpoints", DrogueEndpoints{}},
	{"doshii", "error", DoshiiError{}},
	{"doshii", "primus-", ""},
	{"doshii", "", DoshiiMessage{}},
}

// Every message of the vendors' documents and of their public code survives the
// shapes: what it says when decoded and encoded again is the same JSON.
func TestVectors(t *testing.T) {
	for _, service := range []string{"octave", "drogue", "doshii"} {
		archives, err := filepath.Glob(filepath.Join("..", "testdata", service, "*.txtar"))
		if err != nil || len(archives) == 0 {
			t.Fatalf("no messages of %s: %v", service, err)
		}
		for _, name := range archives {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(a.Comment, []byte("Source")) {
				t.Errorf("%s cites no source", name)
			}
			for _, file := range a.Files {
				if filepath.Ext(file.Name) != ".json" {
					continue
				}
				t.Run(service+"/"+file.Name, func(t *testing.T) { roundTrip(t, service, file) })
			}
		}
	}
}

func roundTrip(t *testing.T, service string, file txtar.File) {
	for _, s := range shapes {
		if s.service != service || !strings.HasPrefix(file.Name, s.prefix) {
			continue
		}
		v := reflect.New(reflect.TypeOf(s.shape))
		if err := json.Unmarshal(file.Data, v.Interface()); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decode(t, file.Data), decode(t, b)); diff != "" {
			t.Errorf("%T: -document +encoded\n%s", s.shape, diff)
		}
		return
	}
	t.Fatal("no shape for this message")
}

// decode reads any JSON value, numbers as they are written.
func decode(t *testing.T, b []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

// The documents print members in a certain order, and so do the shapes.
func TestMemberOrder(t *testing.T) {
	a, err := txtar.ParseFile(filepath.Join("..", "testdata", "octave", "vendor.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range a.Files {
		var v any
		switch {
		case filepath.Ext(file.Name) != ".json":
			continue
		case strings.HasPrefix(file.Name, "request-"):
			v = new(OctaveRequest)
		default:
			v = new(OctaveMessage)
		}
		if err := json.Unmarshal(file.Data, v); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, file.Data); err != nil {
			t.Fatal(err)
		}
		if string(got) != want.String() {
			t.Errorf("%s:\n got %s\nwant %s", file.Name, got, want.String())
		}
	}
}

func TestOctaveSocketPath(t *testing.T) {
	a, err := txtar.ParseFile(filepath.Join("..", "testdata", "octave", "vendor.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range a.Files {
		if file.Name != "socket-url.txt" {
			continue
		}
		got := "wss" + strings.TrimPrefix(OctaveEndpoint, "https") +
			OctaveSocketPath("n2fBC9YeE6g.rQzrm_RDmpaiDKcyAYEwzZnQ9EU6ukN5")
		if want := strings.TrimSpace(string(file.Data)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		return
	}
	t.Fatal("no address in the document")
}

func TestDrogueAccessToken(t *testing.T) {
	const want = "drg_012345_01234567890123456789012345678920BetF"
	got, err := DrogueAccessToken("012345", "012345678901234567890123456789")
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if p := DrogueAccessTokenPrefix(want); p != "drg_012345" {
		t.Errorf("prefix %q", p)
	}
	for _, test := range []struct {
		token string
		valid bool
	}{
		{want, true},
		{want[:41], false},
		{want[:41] + "20BetG", false},
		{want + "0", false},
		{strings.Replace(want, "_", "-", 1), false},
		{strings.Replace(want, "9", "ü", 1), false},
		{"", false},
	} {
		if got := DrogueAccessTokenValid(test.token); got != test.valid {
			t.Errorf("%q valid: %t", test.token, got)
		}
	}
	if _, err := DrogueAccessToken("short", "x"); err == nil {
		t.Error("a token of too few characters was made")
	}
}

// Extensions keep their order, and characters of HTML stay as they are.
func TestDrogueEventText(t *testing.T) {
	const text = `{"specversion":"1.0","id":"1","type":"t","source":"s","data":"<&>","z":"1","a":"<&>"}`
	var e DrogueEvent
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	got, err := e.MarshalJSON()
	if err != nil || string(got) != text {
		t.Errorf("got %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"id":1}`), &e); err == nil {
		t.Error("an attribute that is a number was taken")
	}
	if err := json.Unmarshal([]byte(`[]`), &e); err == nil {
		t.Error("an array was taken for an event")
	}
}

func FuzzDrogueEvent(f *testing.F) {
	a, err := txtar.ParseFile(filepath.Join("..", "testdata", "drogue", "events.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e DrogueEvent
		if json.Unmarshal(b, &e) != nil {
			return
		}
		text, err := e.MarshalJSON()
		if err != nil || !json.Valid(text) {
			t.Errorf("%s became %s, %v", b, text, err)
		}
	})
}

func TestDoshiiHeartbeat(t *testing.T) {
	var m DoshiiMessage
	if err := json.Unmarshal([]byte(`{"doshii":{"pong":0}}`), &m); err != nil {
		t.Fatal(err)
	}
	if m.Doshii == nil || m.Doshii.Pong == nil || m.Doshii.Ping != nil {
		t.Errorf("a pong of 0 is no pong: %+v", m.Doshii)
	}
	b, err := json.Marshal(DoshiiPong(json.RawMessage("1700000000000"), ""))
	if want := `{"doshii":{"pong":1700000000000}}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}

func TestDoshiiEmit(t *testing.T) {
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
		var m DoshiiMessage
		if err := json.Unmarshal([]byte(test.text), &m); err != nil {
			t.Fatal(err)
		}
		name, ok := m.Emit.Name()
		if name != test.name || ok != test.ok || string(m.Emit.Payload()) != test.payload {
			t.Errorf("%s: %q, %t, %s", test.text, name, ok, m.Emit.Payload())
		}
	}
}
