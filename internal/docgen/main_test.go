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
	generated, err := files("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range generated {
		old, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		// A checkout may have other line endings.
		if !bytes.Equal(bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n")), text) {
			t.Errorf("%s is not up to date: go generate ./...", name)
		}
	}
}

func TestManualIsSound(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Log("mandoc is not installed: the manual was not checked by it")
		return
	}
	out, err := exec.Command("mandoc", "-T", "lint", "../../man/hark.1").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}

// Every flag is in the manual, in docs/flags.md, and in the completions.
func TestFlagsAreEverywhere(t *testing.T) {
	manual, err := os.ReadFile("../../man/hark.1")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/flags.md")
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
		if !bytes.Contains(page, []byte("`"+f.Name+"`")) && !bytes.Contains(page, []byte("`"+f.Name+" ")) {
			t.Errorf("docs/flags.md does not list %s", f.Name)
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
