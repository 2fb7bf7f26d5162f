package deliver

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// A topic is a text, or made of each event.
func TestTemplate(t *testing.T) {
	const event = `{"site":"n/1","n":7,"o":{"k":"}"},"e":"","x":null}`
	for _, tt := range []struct{ text, want, failure string }{
		{text: "events", want: "events"},
		{text: "a-{.site}-b-{.n}", want: "a-n/1-b-7"},
		{text: `{{k: "{\""}.k}`, want: `{"`},
		{text: "{.o.k}", want: "}"},
		{text: "{\n.n # the number\n}", want: "7"},
		{text: `say "hi" \{.n}`, want: `say "hi" \7`},
		{text: "{.o}", failure: "in --to, a string or a number is expected"},
		{text: "a-{.x}", failure: "in --to, a string or a number is expected"},
		{text: "a-{.e}", failure: "in --to, a string or a number is expected"},
		{text: "a{", failure: "a brace is not closed"},
		{text: "a{.n", failure: "a brace is not closed"},
		{text: "a{ }", failure: "the braces are empty"},
		{text: "a{.n +}", failure: "--to"},
	} {
		tmpl, err := parseTemplate(tt.text)
		f := &Flags{key: ".n", place: place{target: tmpl}}
		var x Extracts
		if err == nil {
			x, err = f.Extracts(jq.Vars{})
		}
		if err != nil {
			if tt.failure == "" || !strings.Contains(err.Error(), tt.failure) {
				t.Errorf("%s: %v, want %q", tt.text, err, tt.failure)
			}
			continue
		}
		var out, said bytes.Buffer
		w := output.New(&out, output.Options{
			Conditions: x.Conditions(),
			Warn:       func(s string) { said.WriteString(s) },
		})
		if err := w.Event(&proto.Event{Message: proto.Message{Data: []byte(event)}}); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		var r destination.Record
		x.Set(&r)
		if r.To == "" {
			r.To = tmpl.fixed()
		}
		if r.To != tt.want || r.Key != "7" || !strings.Contains(said.String(), tt.failure) || (tt.failure == "") != (said.Len() == 0) {
			t.Errorf("%s: topic %q, key %q, %q", tt.text, r.To, r.Key, said.String())
		}
	}
}
