package cmdline

import "testing"

func TestNearest(t *testing.T) {
	candidates := []string{"count", "color", "jq", "max-time", "retries", "retry-window", "profile", "until"}
	for word, want := range map[string]string{
		"count":      "count",
		"Count":      "count",
		"cuont":      "count",
		"cunt":       "count",
		"counts":     "count",
		"colour":     "color",
		"maxtime":    "max-time",
		"max_time":   "max-time",
		"max":        "max-time",
		"retry":      "retry-window",
		"retrie":     "retries",
		"prof":       "profile",
		"re":         "", // two begin so
		"jp":         "", // one letter in common is not near
		"j":          "",
		"":           "",
		"once":       "",
		"colander":   "",
		"unti":       "until",
		"interactiv": "",
	} {
		if got := Nearest(word, candidates); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1},
		{"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3}, {"größe", "grösse", 2},
	}
	for _, tt := range tests {
		if got := Distance([]rune(tt.a), []rune(tt.b)); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
