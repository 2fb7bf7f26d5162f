package network

import (
	"slices"
	"testing"
)

func TestFileHeaders(t *testing.T) {
	got := fileHeaders("\ufeff# comment\r\nX-A: 1\r\n\r\n  # more\n X-B: #2\n")
	if want := []string{"X-A: 1", "X-B: #2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
