package recipes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto/recipe"
	"github.com/hark-cli/hark/recipes"
)

// An Origin says where a recipe is from.
type Origin int

const (
	BuiltIn   Origin = iota
	Installed        // in the folder of the user's recipes
	Named            // a file that the command line names
)

// A File is the text of a recipe.
type File struct {
	// Name is that of the recipe, which may not be what the text says; for a file that the
	// command line names, its path.
	Name   string
	Origin Origin
	// Path is that of the file, for messages too; NAME.toml for one that is built in.
	Path   string
	Source []byte
}

// Parse reads the recipe. Its error is for the user.
func (f *File) Parse() (*recipe.Recipe, error) {
	r, err := recipe.Parse(f.Path, f.Source)
	if list, ok := errors.AsType[recipe.Errors](err); ok {
		return nil, &mistakes{list}
	}
	if err == nil && f.Origin != Named && r.Name != f.Name {
		return nil, &mistakes{recipe.Errors{r.Mistake(fmt.Sprintf("the file is %s, so the name must be %q", filepath.Base(f.Path), f.Name), "name")}}
	}
	return r, err
}

// Outline reads the name, the texts and the parameters of the recipe, whatever mistakes
// its expressions have.
func (f *File) Outline() (*recipe.Recipe, error) { return recipe.Outline(f.Path, f.Source) }

// Script reads the transcript of the recipe, NAME.txt alongside NAME.toml; it is nil if there
// is none. Its error is for the user.
func (f *File) Script(ctx context.Context) (*transcript.File, error) {
	path := strings.TrimSuffix(f.Path, ".toml") + ".txt"
	var text []byte
	if f.Origin == BuiltIn {
		text, _ = recipes.Transcript(f.Name)
	} else {
		var err error
		if text, err = bounded.File(ctx, path, bounded.Config); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, cmdline.Usagef("cannot read the transcript: %v", err)
		}
	}
	return transcript.Parse(path, text)
}

// mistakes are those of a recipe, as the user sees them.
type mistakes struct{ recipe.Errors }

// Exit implements the interface of errors that know their exit code.
func (m *mistakes) Exit() int { return ending.Usage }

// Lines have the mistakes, each with its place.
func (m *mistakes) Lines() (text string, below []string) {
	for i, e := range m.Errors {
		if i > 0 {
			below = append(below, e.Error())
		}
		if caret := e.Caret(); caret != "" {
			below = append(below, strings.Split(caret, "\n")...)
		}
	}
	return m.Errors[0].Error(), below
}

// IsFile reports whether what is typed for a recipe is the path of a file.
func IsFile(arg string) bool {
	return strings.HasSuffix(arg, ".toml") || strings.ContainsRune(arg, '/') || strings.ContainsRune(arg, filepath.Separator)
}

// Find finds the recipe that is typed as arg: the path of a file, or the name of a recipe
// that is installed or built in.
func Find(ctx context.Context, p *program.Program, arg string) (*File, error) {
	if IsFile(arg) {
		text, err := bounded.File(ctx, arg, bounded.Config)
		if err != nil {
			return nil, cmdline.Usagef("cannot read the recipe: %v", err)
		}
		return &File{Name: arg, Origin: Named, Path: arg, Source: text}, nil
	}
	all := List(p)
	i := slices.IndexFunc(all, func(f *File) bool { return f.Name == arg })
	if i < 0 {
		var names []string
		for _, f := range all {
			names = append(names, f.Name)
		}
		e := cmdline.Usagef("unknown recipe%s: expected %s, or a file: ./NAME.toml", cmdline.Mention(arg), strings.Join(names, ", "))
		e.Suggestion = cmdline.Nearest(arg, names)
		return nil, e
	}
	f := all[i]
	if f.Origin == BuiltIn {
		return f, nil
	}
	text, err := bounded.File(ctx, f.Path, bounded.Config)
	if err != nil {
		return nil, cmdline.Usagef("cannot read the recipe: %v", err)
	}
	f.Source = text
	return f, nil
}

// List lists the recipes that have names, sorted. One that is installed hides a built-in
// one of its name. The text of installed ones is not read.
func List(p *program.Program) (all []*File) {
	known := make(map[string]bool)
	if dir, err := Folder(p); err == nil {
		entries, _ := os.ReadDir(dir) // without it, there are none
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok && !e.IsDir() {
				known[name] = true
				all = append(all, &File{Name: name, Origin: Installed, Path: filepath.Join(dir, e.Name())})
			}
		}
	}
	for _, name := range recipes.Names() {
		if !known[name] {
			source, _ := recipes.Source(name)
			all = append(all, &File{Name: name, Origin: BuiltIn, Path: name + ".toml", Source: source})
		}
	}
	slices.SortFunc(all, func(a, b *File) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Folder is where the user's own recipes are: hark/recipes in $XDG_CONFIG_HOME or
// ~/.config (%AppData% on Windows).
func Folder(p *program.Program) (string, error) {
	for _, base := range []struct{ variable, folder string }{
		{"XDG_CONFIG_HOME", ""}, {"AppData", ""}, {"HOME", ".config"},
	} {
		if dir, ok := p.LookupEnv(base.variable); ok && filepath.IsAbs(dir) {
			return filepath.Join(dir, base.folder, "hark", "recipes"), nil
		}
	}
	return "", cmdline.Usagef("no place for recipes: neither XDG_CONFIG_HOME nor HOME is set")
}
