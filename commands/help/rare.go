package help

import (
	"slices"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
)

// rareGroups are headings under which the short help explains only the essential flags,
// and names the others.
var rareGroups = []string{program.CatReady, program.CatStatus, program.CatLink, program.CatProxy, program.CatTLS, program.CatPrompt}

// Rare reports whether the short help only names a flag.
func Rare(f *cmdline.Flag) bool {
	return f.Rare || slices.Contains(rareGroups, f.Group) && !f.Essential
}
