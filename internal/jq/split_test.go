package jq

import "testing"

func TestIndex(t *testing.T) {
	for text, want := range map[string]int{
		`.a => .b`:                 3,
		`.a == "=>" => .b`:         11,
		`"\("=>")" => 1`:           10,
		`"\(if . then "x" end) =>`: -1,
		`.a # => `:                 -1,
		`.a >= 1`:                  -1,
		``:                         -1,
	} {
		if got := Index(text, "=>"); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
