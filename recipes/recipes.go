// Package recipes has the recipes that are built in: NAME.toml says how a service is
// spoken to, and NAME.txt is its transcript, which tests the recipe and is played by its
// emulator. docs/recipes.md describes both.
package recipes

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.toml *.txt
var files embed.FS

// Names returns the names of the recipes, sorted.
func Names() []string {
	list, err := fs.Glob(files, "*.toml")
	if err != nil {
		panic(err) // the pattern is valid
	}
	for i, file := range list {
		list[i] = strings.TrimSuffix(file, ".toml")
	}
	return list
}

// Source returns the text of a recipe, and Transcript that of its transcript. ok is
// false when there is none of that name.
func Source(name string) (text []byte, ok bool) { return read(name + ".toml") }

// Transcript returns the transcript of a recipe.
func Transcript(name string) (text []byte, ok bool) { return read(name + ".txt") }

func read(file string) (text []byte, ok bool) {
	text, err := files.ReadFile(file)
	return text, err == nil
}
