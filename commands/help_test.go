package commands

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/cmdline"
)

// The short help of every command fits a page, and no help text is wider than a terminal.
func TestHelpFitsAPage(t *testing.T) {
	const lines, columns = 50, 80
	help := func(path string, flag string) string {
		var out bytes.Buffer
		a := Tree(&out)
		if err := a.Run(t.Context(), append(strings.Fields(path)[1:], flag)); err != nil {
			t.Fatalf("%s %s: %v", path, flag, err)
		}
		return out.String()
	}
	longest, n := "", 0
	Tree(io.Discard).Root().Walk(func(c *cmdline.Command) {
		if c.Hidden {
			return
		}
		short := help(c.Path(), "--help")
		if got := strings.Count(short, "\n"); got > n {
			longest, n = c.Path(), got
		}
		for _, text := range []string{short, help(c.Path(), "--help-all")} {
			for line := range strings.Lines(text) {
				if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > columns {
					t.Errorf("%s: more than %d columns: %s", c.Path(), columns, line)
				}
			}
		}
	})
	if n > lines {
		t.Errorf("%s --help has %d lines, at most %d are allowed", longest, n, lines)
	}
	t.Logf("the longest: %s --help, %d lines", longest, n)
}
