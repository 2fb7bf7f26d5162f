// Docgen generates, from the tree of commands, the manual and docs/flags.md.
// "go generate ./..." runs it.
package main

import (
	"bytes"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/hark-cli/hark/commands"
)

// files returns the generated files by their paths from the root of the repository.
func files() map[string][]byte {
	a := commands.Tree(io.Discard)
	return map[string][]byte{
		"man/hark.1":    manual(a),
		"docs/flags.md": flagPage(a.Root().Describe()),
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("docgen: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: docgen ROOT")
	}
	for name, text := range files() {
		if err := write(filepath.Join(os.Args[1], name), text); err != nil {
			log.Fatal(err)
		}
	}
}

// write replaces a file, unless it has that text already.
func write(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return os.WriteFile(path, text, 0o644)
}
