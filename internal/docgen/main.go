// Docgen makes what is generated from the tree of commands: the manual, and the table of
// flags in the README. "go generate ./..." runs it.
package main

import (
	"bytes"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/hark-cli/hark/commands"
)

// A generated file is one that is made, or has a part that is.
type generated struct {
	path string // from the root of the repository
	make func(old []byte) ([]byte, error)
}

func files() []generated {
	a := commands.Tree(io.Discard)
	return []generated{
		{"man/hark.1", func([]byte) ([]byte, error) { return manual(a), nil }},
		{"README.md", func(old []byte) ([]byte, error) {
			text, err := withTable(string(old), a.Root().Describe())
			return []byte(text), err
		}},
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("docgen: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: docgen ROOT")
	}
	for _, g := range files() {
		path := filepath.Join(os.Args[1], g.path)
		old, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		text, err := g.make(old)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		if bytes.Equal(old, text) {
			continue
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
