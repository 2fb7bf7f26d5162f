package config

import (
	"testing"

	"github.com/hark-cli/hark/internal/cmdline"
)

// The output of config show and config explain for a setting.
func TestShownValue(t *testing.T) {
	header, endpoint := &cmdline.Flag{Name: "header"}, &cmdline.Flag{Name: "endpoint"}
	token := &cmdline.Flag{Name: "token", Secret: true}
	for _, tt := range []struct {
		option      *cmdline.Flag
		value, want string
	}{
		{token, "abcdef", "***"},
		{token, "env:TOKEN", "env:TOKEN"},
		{nil, "abcdef", "***"}, // tokne = "abcdef"
		{header, "X-Api-Key: abcdef", "X-Api-Key: ***"},
		{header, "Authorization: Bearer abcdef", "Authorization: Bearer ***"},
		{header, "X-Other: abcdef", "X-Other: abcdef"},
		{endpoint, "wss://alice:abcdef@host/?q=1", "wss://alice:***@host/?q=1"},
		{endpoint, "wss://alice:%61bcdef@host/?to%6Ben=%7A1234&q=1&key=50%", "wss://alice:***@host/?to%6Ben=***&q=1&key=50%"},
		{endpoint, "wss://0123456789abcdef%2f@host/x", "wss://***@host/x"},
		{endpoint, "wss://alice@host/x", "wss://alice@host/x"},
		{endpoint, "wss://host/?key=100%;no", "wss://host/?key=***"},
	} {
		if got := shownValue(tt.option, tt.value); got != tt.want {
			t.Errorf("%q is shown as %q, want %q", tt.value, got, tt.want)
		}
	}
}
