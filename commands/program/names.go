package program

import (
	"slices"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/pattern"
)

// PlainName is a name that can stand in the line of any shell as it is. Names come
// from a server, which must not have the shell do anything.
var PlainName = pattern.Lazy(`^[A-Za-z0-9_./:@%+,-]+$`)

// PlainNames are the candidates among names.
func PlainNames(names []string) []cmdline.Candidate {
	return cmdline.Words(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !PlainName().MatchString(n) })...)
}
