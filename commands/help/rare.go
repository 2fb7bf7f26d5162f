package help

import (
	"slices"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
)

// rareGroups are groups of which the short help explains only the essential flags, all
// under one heading.
var rareGroups = []string{program.CatReady, program.CatStatus, program.CatLink, program.CatProxy, program.CatTLS, program.CatPrompt}

// Heading returns the group of a flag in the short help.
func Heading(f *cmdline.Flag) string {
	if slices.Contains(rareGroups, f.Group) {
		return program.CatLink
	}
	return f.Group
}

// Rare reports whether the short help does not explain a flag.
func Rare(f *cmdline.Flag) bool {
	return f.Rare || slices.Contains(rareGroups, f.Group) && !f.Essential
}
