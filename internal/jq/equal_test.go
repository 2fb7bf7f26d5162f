package jq

import (
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
)

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`{"a": [1, 2.50], "b": null}`, `{"b":null,"a":[1.0,25e-1]}`, true},
		{`12345678901234567890`, `12345678901234567890.0`, true},
		{`"1"`, `1`, false},
		{`{}`, `{"a":null}`, false},
	} {
		var d, e eventjson.Decoder
		a, err := d.Decode([]byte(tt.a))
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Decode([]byte(tt.b))
		if err != nil {
			t.Fatal(err)
		}
		if got := Equal(a, b); got != tt.want {
			t.Errorf("%s, %s: %t", tt.a, tt.b, got)
		}
	}
}
