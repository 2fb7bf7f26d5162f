// Package completions contains the completion scripts of the shells. They ask hark
// itself what fits, so they need no change when a flag is added.
package completions

import "embed"

//go:embed hark.bash hark.zsh hark.fish hark.ps1
var files embed.FS

// Shells are the shells that there is a script for.
func Shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// Script returns the script of a shell; false for one that is not among Shells.
func Script(shell string) ([]byte, bool) {
	name, ok := map[string]string{
		"bash": "hark.bash", "zsh": "hark.zsh", "fish": "hark.fish", "powershell": "hark.ps1",
	}[shell]
	if !ok {
		return nil, false
	}
	b, err := files.ReadFile(name)
	return b, err == nil
}
