// Docgen generates, from the tree of commands, the manual and docs/flags.md, and the table
// of services in the README.
// "go generate ./..." runs it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/hark-cli/hark/commands"
)

// files returns the generated files by their paths from the root of the repository.
func files(root string) (map[string][]byte, error) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	readme, err = withServices(readme, commands.Guides())
	a := commands.Tree(io.Discard)
	return map[string][]byte{
		"man/hark.1":    manual(a),
		"docs/flags.md": flagPage(a.Root().Describe()),
		"README.md":     readme,
	}, err
}

// withServices replaces the rows of the table of services.
func withServices(readme []byte, guides []commands.Guide) ([]byte, error) {
	const head = "| service | stream | page |\n|---|---|---|\n"
	readme = bytes.ReplaceAll(readme, []byte("\r\n"), []byte("\n"))
	before, rows, found := bytes.Cut(readme, []byte(head))
	_, after, ends := bytes.Cut(rows, []byte("\n\n"))
	if !found || !ends {
		return nil, errors.New("README.md has no table of services")
	}
	table := []byte(head)
	for _, g := range guides {
		table = fmt.Appendf(table, "| %s | `%s` | [docs/%[3]s.md](docs/%[3]s.md) |\n", g.Title, g.Usage, g.Name)
	}
	return slices.Concat(before, table, []byte("\n"), after), nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("docgen: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: docgen ROOT")
	}
	generated, err := files(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range generated {
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
