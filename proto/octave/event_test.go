package octave

import (
	"encoding/json"
	"testing"

	"github.com/hark-cli/hark/proto/prototest"
)

func TestReadEvent(t *testing.T) {
	for _, tt := range []struct {
		text            string
		ok              bool
		created, edited int64
	}{
		{`{"id":"e1","creationDate":1718870401337}`, true, 1718870401337, 0},
		{`{"id":"e1","creationDate":1.718870401337E12,"lastEditDate":null}`, true, 1718870401337, 0},
		{`{"id":"e1","creationDate":17,"lastEditDate":17}`, true, 17, 0},
		{`{"id":"e1","creationDate":17,"lastEditDate":18}`, true, 17, 18},
		{`{"id":"e1","creationDate":"17"}`, false, 0, 0},
		{`{"id":"e1","creationDate":-17}`, false, 0, 0},
		{`{"id":"e1","creationDate":99999999999999999999999999}`, false, 0, 0},
		{`{"id":7,"creationDate":17}`, false, 17, 0},
		{`{"id":"","creationDate":17}`, false, 17, 0},
		{`{"creationDate":17}`, false, 17, 0},
		{`{"id":"e1","creationDate":17`, false, 17, 0},
		{`null`, false, 0, 0},
		{``, false, 0, 0},
	} {
		e, ok := readEvent([]byte(tt.text))
		if ok != tt.ok || e.created != tt.created || e.edited != tt.edited {
			t.Errorf("%s: %v, created %d, edited %d", tt.text, ok, e.created, e.edited)
		}
	}
}

// The result is the same as that of encoding/json, and within the message.
func FuzzPush(f *testing.F) {
	for _, m := range prototest.Messages(f, "octave") {
		f.Add(m)
	}
	f.Add([]byte(`{"type":"message","resource":"s1","value":{"id":"e1","creationDate":17,"creationDate":18}}`))
	f.Add([]byte(`{"type":"message","resource":"s1","value":{"id":"e1","creationDate":17},"resource":"s2"}`))
	f.Add([]byte(`{"type":"message","resource":"s\"1","value":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		resource, e, ok := readPush(data)
		if !ok {
			return
		}
		var m, v map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(m["value"], &v); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string][]byte{"id": e.id, "streamId": e.streamID, "path": e.path} {
			if want := unquoted(v[name]); string(got) != string(want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if string(resource) != string(unquoted(m["resource"])) || string(e.raw) != string(m["value"]) {
			t.Errorf("resource %q of %q", resource, m["resource"])
		}
		var created float64
		if json.Unmarshal(v["creationDate"], &created) != nil || int64(created) != e.created {
			t.Errorf("creationDate %d of %s", e.created, v["creationDate"])
		}
	})
}
