// Package config reads the configuration file: settings of flags, of services, and of
// profiles, and the macros of the prompt. The package does not know what a setting
// means, only its position; the flags validate it.
//
//	retries = 20                       # a flag of all commands: --retries
//
//	[octave]                           # flags of one service
//	company = "acme"
//	token = "env:OCTAVE_TOKEN"
//
//	[profile.staging]                  # the same again, for --profile staging
//	retries = 3
//	[profile.staging.octave]
//	endpoint = "https://octave.example.com"
//
//	[macros]                           # /hello at the prompt
//	hello = '{"hello":"${name}"}'
package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/tomlfile"
)

// A Setting is one key of the file.
type Setting struct {
	// Profile is "" for settings outside of profiles.
	Profile string
	// Service is "" for flags of all commands.
	Service string
	// Name is the name of the flag, without dashes.
	Name string
	// Values are its values as on a command line; more than one for an array.
	Values []string
	// Line is its line, from 1.
	Line int
}

// A File is a configuration file that has been read.
type File struct {
	Path     string
	Settings []Setting
	// Macros are texts by name.
	Macros map[string]string
	// Profiles are the names of the profiles, sorted.
	Profiles []string
	// Exposed: users other than the owner can read the file.
	Exposed bool
}

// An Error is an error in the file.
type Error struct {
	Path string
	Line int // 0 if unknown
	Msg  string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Msg)
}

// Read reads a file, or returns an empty File if it does not exist. The error is an
// *Error, that of the file system, or the cause of ctx.
func Read(ctx context.Context, path string) (*File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{Path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := bounded.File(ctx, path, bounded.Config)
	if _, large := errors.AsType[*bounded.TooLargeError](err); large {
		return nil, &Error{Path: path, Msg: "too large for a configuration file"}
	}
	if err != nil {
		return nil, err
	}
	f, err := Parse(path, string(text))
	if err == nil {
		f.Exposed = info.Mode().Perm()&0o077 != 0
	}
	return f, err
}

// Parse parses the text of a file; path is for messages.
func Parse(path, text string) (*File, error) {
	d, err := tomlfile.Parse(text)
	if e, ok := errors.AsType[*tomlfile.Error](err); ok {
		return nil, &Error{Path: path, Line: e.Position.Line, Msg: e.Msg}
	}
	p := &parser{file: &File{Path: path, Macros: make(map[string]string)}, document: d}
	tree := d.Tree
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		table, isTable := tree[key].(map[string]any)
		_, isList := tree[key].([]map[string]any)
		switch {
		case isList:
			p.fail(keys{key}, "[[%s]] begins a list of tables: write [%[1]s]", key)
		case key == "profile" && !isTable:
			p.fail(keys{key}, "profile is a table: [profile.NAME]; --profile NAME or HARK_PROFILE chooses one")
		case key == "profile" && isTable:
			p.profiles(table)
		case key == "macros" && isTable:
			p.macros(table)
		case isTable:
			p.table("", key, table)
		default:
			p.setting("", "", key, tree[key])
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.file, nil
}

// A parser turns the tree of a file into settings and keeps the first error.
type parser struct {
	file     *File
	document *tomlfile.Document
	err      error
}

// keys is the path of a setting or table.
type keys []string

func (p *parser) fail(at keys, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Path: p.file.Path, Line: p.document.Position(at...).Line, Msg: fmt.Sprintf(format, args...)}
	}
}

func (p *parser) profiles(tree map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		table, ok := tree[name].(map[string]any)
		if _, list := tree[name].([]map[string]any); list {
			p.fail(keys{"profile", name}, "[[profile.%s]] begins a list of tables: write [profile.%[1]s]", name)
			continue
		}
		if !ok {
			p.fail(keys{"profile", name}, "profile.%s: expected a table: [profile.%[1]s]", name)
			continue
		}
		p.file.Profiles = append(p.file.Profiles, name)
		for _, key := range slices.Sorted(maps.Keys(table)) {
			sub, ok := table[key].(map[string]any)
			if _, list := table[key].([]map[string]any); list {
				p.fail(keys{"profile", name, key}, "[[profile.%s.%s]] begins a list of tables: write [profile.%[1]s.%[2]s]", name, key)
			} else if ok {
				p.table(name, key, sub)
			} else {
				p.setting(name, "", key, table[key])
			}
		}
	}
}

// RecipeService is the Service of the settings of a recipe: [recipe.NAME].
func RecipeService(name string) string { return recipePrefix + name }

const recipePrefix = "recipe_"

// table reads the settings of a service: [octave], or, of each recipe, [recipe.NAME].
func (p *parser) table(profile, service string, table map[string]any) {
	if service == "recipe" {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			at := keys{service, name}
			if profile != "" {
				at = append(keys{"profile", profile}, at...)
			}
			sub, ok := table[name].(map[string]any)
			if !ok {
				p.fail(at, "%s: expected a table: [%[1]s]", strings.Join(at, "."))
				continue
			}
			p.table(profile, RecipeService(name), sub)
		}
		return
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		p.setting(profile, service, key, table[key])
	}
}

func (p *parser) setting(profile, service, name string, v any) {
	s := Setting{Profile: profile, Service: service, Name: name}
	key := s.Key()
	s.Line = p.document.Position(s.keys()...).Line
	items, isList := v.([]any)
	if !isList {
		items = []any{v}
	}
	for _, item := range items {
		text, ok := scalar(item)
		if _, table := item.(map[string]any); table && service == "profiles" {
			p.fail(s.keys(), "unknown table [%s]: a profile is written [profile.%s]", key, name)
			return
		}
		if !ok {
			p.fail(s.keys(), "%s: expected a string, a number, true or false, or a list of them", key)
			return
		}
		s.Values = append(s.Values, text)
	}
	p.file.Settings = append(p.file.Settings, s)
}

func (p *parser) macros(table map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		text, ok := table[name].(string)
		if !ok {
			p.fail(keys{"macros", name}, "macros.%s: expected a string", name)
			continue
		}
		p.file.Macros[name] = text
	}
}

// Key returns the key of the setting in TOML: "profile.staging.octave.company".
func (s Setting) Key() string { return strings.Join(s.keys(), ".") }

func (s Setting) keys() (all keys) {
	if s.Profile != "" {
		all = append(all, "profile", s.Profile)
	}
	if name, ok := strings.CutPrefix(s.Service, recipePrefix); ok {
		all = append(all, "recipe", name)
	} else if s.Service != "" {
		all = append(all, s.Service)
	}
	return append(all, s.Name)
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}
