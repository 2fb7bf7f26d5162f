package program

import (
	"slices"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/pattern"
)

// PlainName matches names without special characters for any shell. Names come from a
// server, which must not be able to run shell commands.
var PlainName = pattern.Lazy(`^[A-Za-z0-9_./:@%+,-]+$`)

// PlainNames returns candidates for those names that match PlainName.
func PlainNames(names []string) []cmdline.Candidate {
	return cmdline.Words(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !PlainName().MatchString(n) })...)
}
