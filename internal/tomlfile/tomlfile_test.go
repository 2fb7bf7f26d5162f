package tomlfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `# a comment with [brackets] = 1
title = "x = [1]"
header = [ # two
  "A: 1",
  'B ]: 2', ]
text = """
not = "a key"
[nor.a.table]
\""""
[octave]
company = 'acme'
point = { x = 1, "y z".w = [2, { v = 3 }] }
[profile."a.b".octave]
  endpoint.host = "h"
[[step]]
name = "one"
[[step]]
name = "two"
[step.more]
é = 1
"é" = 2
`

func TestPositions(t *testing.T) {
	text := strings.Replace(sample, "é = 1\n", "", 1)
	d, err := Parse("\ufeff" + text)
	if err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]Position{
		"title":                            {2, 1},
		"header":                           {3, 1},
		"header/1":                         {5, 3},
		"text":                             {6, 1},
		"not":                              {},
		"nor":                              {},
		"octave":                           {10, 1},
		"octave/company":                   {11, 1},
		"octave/point/x":                   {12, 11},
		"octave/point/y z/w":               {12, 18},
		"octave/point/y z/w/1/v":           {12, 34},
		"profile/a.b/octave":               {13, 1},
		"profile/a.b":                      {13, 1},
		"profile/a.b/octave/endpoint/host": {14, 3},
		"step":                             {15, 1},
		"step/0/name":                      {16, 1},
		"step/1":                           {17, 1},
		"step/1/name":                      {18, 1},
		"step/1/more":                      {19, 1},
		"step/1/more/é":                    {20, 1},
		"none":                             {},
	} {
		if got := d.Position(strings.Split(keys, "/")...); got != want {
			t.Errorf("%s: %v, want %v", keys, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	const text = "a = 'one'\n[[b]]\nc  = \"\"\"\r\n\\u00e9x\\\n   y\nz\"\"\"\nd = [1, \"\\ttwo\"]\n[e]\n"
	d, err := Parse("\ufeff" + text)
	if err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]Position{"a": {1, 5}, "b/0/c": {3, 6}, "b/0/d": {7, 5}, "b/0/d/1": {7, 9}, "e": {8, 1}} {
		if got := d.Value(strings.Split(keys, "/")...); got != want {
			t.Errorf("%s: %v, want %v", keys, got, want)
		}
	}
	for _, tt := range []struct {
		value  string
		offset int
		keys   string
		want   Position
	}{
		{"one", 0, "a", Position{1, 6}}, {"one", 3, "a", Position{1, 9}},
		{"éxy\nz", 0, "b/0/c", Position{4, 1}}, {"éxy\nz", 2, "b/0/c", Position{4, 7}},
		{"éxy\nz", 3, "b/0/c", Position{4, 8}}, {"éxy\nz", 4, "b/0/c", Position{5, 5}}, {"éxy\nz", 5, "b/0/c", Position{6, 1}},
		{"\ttwo", 1, "b/0/d/1", Position{7, 12}},
	} {
		if got := d.Within(tt.value, tt.offset, strings.Split(tt.keys, "/")...); got != tt.want {
			t.Errorf("%s, byte %d of %q: %v, want %v", tt.keys, tt.offset, tt.value, got, tt.want)
		}
	}
	if got := d.Line(5); got != "   y" || d.Line(1) != "a = 'one'" || d.Line(99) != "" {
		t.Errorf("line 5 is %q", got)
	}
}

func TestErrors(t *testing.T) {
	for text, line := range map[string]int{"a = \n": 1, "\na = 1\na = 2\n": 3, sample: 20} {
		_, err := Parse(text)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Position.Line != line || e.Msg == "" {
			t.Errorf("%q: %v, want line %d", text, err, line)
		}
	}
}

// Written text parses to the same value.
func TestWriting(t *testing.T) {
	for _, text := range []string{"", "plain", "a b", "a.b", `q"u'o\te`, "line\nfeed\x7f\t", "é"} {
		d, err := Parse(Key(text) + " = " + String(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(map[string]any{text: text}, d.Tree); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// Each key of each valid text has a valid position.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("a.b = {c = [{d = 1}, 'x'], e = {}}\n[[f.g]]\n[f.g.h]\n[[f.g.i]]\nj = '''\nk'''\n")
	f.Add("a = [\n[1, 2], # c\n[\"\"\"]\"\"\"],\n]\r\nb = 1979-05-27 07:32:00\n'' = 1")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		lines := strings.Count(text, "\n") + 1
		var check func(keys []string, v any)
		check = func(keys []string, v any) {
			if len(keys) > 0 {
				if at := d.Position(keys...); at.Line < 1 || at.Line > lines || at.Column < 1 {
					t.Errorf("%q: %q stands at %v", text, keys, at)
				}
			}
			if value, ok := v.(string); ok {
				for offset := range len(value) + 1 {
					if at := d.Within(value, offset, keys...); at.Line < 1 || at.Line > lines || at.Column < 1 {
						t.Errorf("%q: byte %d of %q stands at %v", text, offset, keys, at)
					}
				}
			}
			if table, ok := v.(map[string]any); ok {
				for key, value := range table {
					check(append(keys[:len(keys):len(keys)], key), value)
				}
			}
		}
		check(nil, d.Tree)
	})
}
