package commands

import (
	"slices"

	"github.com/hark-cli/hark/internal/cmdline"
)

// rareGroups are headings under which the short help explains only the essential flags,
// and names the others.
var rareGroups = []string{catReady, catStatus, catLink, catProxy, catTLS, catPrompt}

// rare reports whether the short help only names a flag.
func rare(f *cmdline.Flag) bool {
	return f.Rare || slices.Contains(rareGroups, f.Group) && !f.Essential
}
