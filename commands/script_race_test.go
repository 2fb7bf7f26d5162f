//go:build unix

package commands

import (
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptWithoutRace sets $HARK to the program without -race, because the race detector
// needs several times the memory.
func scriptWithoutRace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: without-race")
	}
	path := "hark"
	if raceEnabled() {
		path = ts.MkAbs("hark-without-race")
		if out, err := exec.Command("go", "build", "-o", path, "..").CombinedOutput(); err != nil {
			ts.Fatalf("building hark: %v: %s", err, out)
		}
	}
	ts.Setenv("HARK", path)
}
