package transcript

import (
	"testing"
)

func TestPredicate(t *testing.T) {
	for expr, want := range map[string]string{
		`.a == 1`:                      "true",
		`.a == 2, .a`:                  "true",
		`.b`:                           "false",
		`.b, false`:                    "false",
		`.c[]`:                         "false",
		`empty, (.a | error)`:          "error",
		`.a * 1e9 as $n | "x" * $n`:    "error",
		`[limit(2000; repeat(.a))][0]`: "true",
	} {
		p, err := newPredicate(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		ok, err := p.Matches(t.Context(), map[string]any{"a": 1, "c": []any{}})
		got := map[bool]string{true: "true", false: "false"}[ok]
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s, %v, want %s", expr, got, err, want)
		}
	}
}
