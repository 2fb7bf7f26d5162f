package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-cli/hark/commands"
)

func TestFilesAreUpToDate(t *testing.T) {
	for _, g := range files() {
		old, err := os.ReadFile(filepath.Join("../..", g.path))
		if err != nil {
			t.Fatal(err)
		}
		text, err := g.make(old)
		if err != nil {
			t.Fatalf("%s: %v", g.path, err)
		}
		// A checkout may have other line ends.
		if !bytes.Equal(bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n")), text) {
			t.Errorf("%s is not up to date: go generate ./...", g.path)
		}
	}
}

func TestManualIsSound(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Log("there is no mandoc: the manual was not checked by it")
		return
	}
	out, err := exec.Command("mandoc", "-T", "lint", "../../man/hark.1").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}

// Every flag is where users look for it: in the manual, in the README, and in what
// the shells offer.
func TestFlagsAreEverywhere(t *testing.T) {
	manual, err := os.ReadFile("../../man/hark.1")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := commands.Tree(&out)
	for _, f := range allFlags(a.Root().Describe()) {
		if !bytes.Contains(manual, []byte("\\fB"+roff(f.Name)+"\\fR")) {
			t.Errorf("the manual does not explain %s", f.Name)
		}
		if f.Variable != "" && !bytes.Contains(manual, []byte("\\fB"+roff(f.Variable)+"\\fR")) {
			t.Errorf("the manual does not know %s", f.Variable)
		}
		if !bytes.Contains(readme, []byte("`"+f.Name+"`")) {
			t.Errorf("the README does not list %s", f.Name)
		}
		for _, command := range f.commands {
			out.Reset()
			words := strings.Fields("__complete " + strings.TrimPrefix(command, "hark"))
			if err := a.Run(t.Context(), append(words, f.Name)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains("\n"+out.String(), "\n"+f.Name+"\t") {
				t.Errorf("hark %s %s is not completed: %q", command, f.Name, &out)
			}
		}
	}
}
