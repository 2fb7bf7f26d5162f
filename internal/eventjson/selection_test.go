package eventjson

import "testing"

func TestSelectionUnion(t *testing.T) {
	sel := func(text string) *Selection { // the members of a value, null for whole ones
		t.Helper()
		var d Decoder
		v, err := d.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var of func(v any) *Selection
		of = func(v any) *Selection {
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			s := &Selection{}
			for name, what := range m {
				s.Add(name, of(what))
			}
			return s
		}
		return of(v)
	}
	const event = `{"a":{"b":{"x":1,"y":2},"c":3},"d":[4],"e":5}`
	for _, tt := range []struct {
		s, t, want string
		n          int
	}{
		{`{}`, `{}`, `{}`, 0},
		{`null`, `{"a":null}`, event, 0},
		{`{"a":{"b":{}}}`, `{"e":null}`, `{"a":{"b":{}},"e":5}`, 3},
		{`{"a":{"b":{"x":null}}}`, `{"a":{"b":{"y":null}}}`, `{"a":{"b":{"x":1,"y":2}}}`, 4},
		{`{"a":{"b":{"x":null}}}`, `{"a":null}`, `{"a":{"b":{"x":1,"y":2},"c":3}}`, 1},
	} {
		for _, u := range []*Selection{sel(tt.s).Union(sel(tt.t)), sel(tt.t).Union(sel(tt.s))} {
			var d Decoder
			v, err := d.DecodeSelected([]byte(event), u)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := AppendValue(nil, v); string(got) != tt.want || u.Len() != tt.n {
				t.Errorf("%s and %s: %s, %d members, want %s, %d", tt.s, tt.t, got, u.Len(), tt.want, tt.n)
			}
		}
	}
}
