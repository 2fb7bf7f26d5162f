package output

import (
	"io"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// What an expression makes of an event as text, evaluated natively or not; each event
// stands for itself.
func TestExtract(t *testing.T) {
	for _, tt := range []struct{ expr, event, want, warning string }{
		{`.id`, `{"id":"a\u0000\"b"}`, "a\x00\"b", ""},
		{`.id`, `{"id":12345678901234567890}`, "12345678901234567890", ""},
		{`.id`, `{"id":true}`, "true", ""},
		{`.id`, `{"id":null}`, "", ""},
		{`.id`, `{}`, "", ""},
		{`.id`, `[1]`, "", "--to-id: event 1: "},
		{`.id`, `{"id":{}}`, "", "--to-id: event 1: expected a string or a number"},
		{`.`, `{"id":1}`, "", "expected a string or a number"},
		{`[.id]`, `{"id":1}`, "", "expected a string or a number"},
		{`empty`, `{"id":1}`, "", ""},
		{`.`, `"text"`, "text", ""},
		{`.`, `text`, "text", ""},
		{`.a + "-" + (.b|tostring)`, `{"a":"x","b":[1]}`, "x-[1]", ""},
		{`.a, .b`, `{"a":"x","b":"y"}`, "x", ""},
		{`.b + 1`, `{"b":1}`, "2", ""},
		{`[.b] | map(.)`, `{"b":1}`, "", "expected a string or a number"},
		{`error("no")`, `{}`, "", "--to-id: event 1: error: no"},
	} {
		f, err := jq.Compile("--to-id", tt.expr, jq.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		x := NewExtract(f)
		warning := ""
		w := New(io.Discard, Options{Conditions: []Condition{x}, Warn: func(s string) { warning = s }})
		if err := w.Event(&proto.Event{Message: proto.Message{Data: []byte(tt.event)}, Seq: 1}); err != nil {
			t.Errorf("%s of %s: %v", tt.expr, tt.event, err)
		}
		if x.Text() != tt.want || (tt.warning == "") != (warning == "") || !strings.Contains(warning, tt.warning) {
			t.Errorf("%s of %s is %q, with warning %q", tt.expr, tt.event, x.Text(), warning)
		}
		// The next event has none of it.
		if err := w.Event(&proto.Event{Message: proto.Message{Data: []byte(`{"id":{}}`)}, Seq: 2}); err != nil {
			t.Error(err)
		}
		if tt.expr == ".id" && x.Text() != "" {
			t.Errorf("%q is left of the event before", x.Text())
		}
		if len(w.Outcomes()) > 0 {
			t.Error("it is one of the outcomes")
		}
	}
}
