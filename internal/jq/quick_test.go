package jq

import (
	"fmt"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
)

// What is found out without a run is what a run says, and what NeedsOf leaves in the
// input is enough for it.
func TestQuick(t *testing.T) {
	inputs := []string{
		`null`, `5`, `"text"`, `[]`, `{}`, `{"a":1}`, `{"a":"x","b":{"c":true}}`, `{"a":false,"b":{"c":null}}`, `{"a":{"b":"x"},"b":[1]}`, `{"a":1.0,"b":{"c":"x"}}`,
	}
	for expr, quick := range map[string]bool{
		`.`: true, `.a`: true, `.b.c`: true, `.a == "x"`: true, `.a == 1`: true, `.a != "x"`: true, `.a == "x" and .b.c`: true,
		`.a == 1 or .b.c`: true, `(.a == "x") | not`: true, `.b.c | not`: true, `.b | .c`: true, `.a and (.b.c or .a == null)`: true,
		`true`: true, `false`: true, `null == .a`: true, `.["a"] == "x"`: true, `"x"`: true,
		`.a > 1`: false, `.a[0]`: false, `.a?`: false, `.a // .b`: false, `select(.a)`: false, `$x`: false, `.a == $x`: false, `.a == "\(.b)"`: false,
	} {
		p, err := CompileProgram("test", expr, Options{Vars: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.quick != nil; got != quick {
			t.Errorf("%s: is quick: %v", expr, got)
		}
		for _, input := range inputs {
			var whole, part eventjson.Decoder
			v, err := whole.Decode([]byte(input))
			if err != nil {
				t.Fatal(err)
			}
			outputs, runErr := p.Run(t.Context(), v, "x")
			holds := false
			for _, out := range outputs {
				holds = holds || out != nil && out != false
			}
			if got, ok := p.True(v); ok != (quick && runErr == nil) && ok || ok && got != holds {
				t.Errorf("%s of %s: %v, %v; a run says %v, %v", expr, input, got, ok, outputs, runErr)
			}
			some, err := part.DecodeSelected([]byte(input), NeedsOf(p))
			if err != nil {
				t.Fatal(err)
			}
			again, againErr := p.Run(t.Context(), some, "x")
			if fmt.Sprint(outputs, runErr) != fmt.Sprint(again, againErr) {
				t.Errorf("%s of %s: %v, %v; of what it needs: %v, %v", expr, input, outputs, runErr, again, againErr)
			}
		}
	}
}

func TestNeedsOf(t *testing.T) {
	compile := func(expr string) *Program {
		p, err := CompileProgram("test", expr, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if NeedsOf(compile(".a"), compile(".")) != nil || NeedsOf(compile(".a"), compile("keys")) != nil || NeedsOf(compile(".a | .b")) == nil {
		t.Error("wrong needs")
	}
	if compile(". ").Identity() != true || compile(".a").Identity() || compile(". | .").Identity() {
		t.Error("wrong identities")
	}
}
