package eventjson

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestMembers(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		ok         bool
	}{
		{`{}`, "", true},
		{" {\n} ", "", true},
		{`{"a":1}`, "a=1;", true},
		{` { "a" : [1, {"b":2}] , "a\u0062":"x\"}" } `, `a=[1, {"b":2}];a\u0062="x\"}";`, true},
		{`{"a":1,"a":2}`, "a=1;a=2;", true},
		{`{"a":1,}`, "a=1;", false},
		{`{"a":1} x`, "a=1;", false},
		{`{"a":1`, "a=1;", false},
		{`{"a"}`, "", false},
		{`{"a":}`, "", false},
		{`{a:1}`, "", false},
		{`{`, "", false},
		{`[1]`, "", false},
		{``, "", false},
	} {
		var got []byte
		ok := Members([]byte(tt.text), func(name, value []byte) bool {
			got = append(append(append(append(got, name...), '='), value...), ';')
			return true
		})
		if ok != tt.ok || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
	n := 0
	if !Members([]byte(`{"a":1,"b":2} and more`), func(_, _ []byte) bool { n++; return false }) || n != 1 {
		t.Errorf("visited %d members after the end", n)
	}
}

func TestMembersAllocatesNothing(t *testing.T) {
	text := []byte(samples()["1KB"])
	var id []byte
	if n := testing.AllocsPerRun(100, func() {
		Members(text, func(name, value []byte) bool {
			if string(name) == "id" {
				id = value
			}
			return true
		})
	}); n != 0 || string(id) != `"9b1d-3f7c"` {
		t.Errorf("%v allocations, id %s", n, id)
	}
}

func FuzzMembers(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		got := make(map[string]json.RawMessage)
		ok := Members(b, func(name, value []byte) bool {
			var key string
			if err := json.Unmarshal(append(append([]byte{'"'}, name...), '"'), &key); err != nil {
				t.Errorf("name %q: %v", name, err)
			}
			got[key] = value
			return true
		})
		if want := stdValid(b) && bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")); ok != want {
			t.Fatalf("Members = %v, want %v", ok, want)
		}
		if !ok {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
		for k, v := range want {
			if !bytes.Equal(got[k], v) {
				t.Errorf("member %q: %q, want %q", k, got[k], v)
			}
		}
	})
}
