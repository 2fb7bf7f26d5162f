package recipe

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A Type is that of the value of a parameter.
type Type string

// The types of parameters. JSON is any value, given as its text.
const (
	String Type = "string"
	Number Type = "number"
	Bool   Type = "bool"
	JSON   Type = "json"
)

// A Param is one parameter of a recipe: a flag, or an argument.
type Param struct {
	// Name is that of its flag; About is a line of help, or empty.
	Name, About string
	Type        Type
	// Default is its value when the user gives none, in the types of jq; nil for null.
	// Of a repeatable one, it is a list.
	Default any
	// Secret: it is a credential. Repeat: it may be given several times, and its value
	// is a list. Arg: it is a positional argument.
	Secret, Repeat, Arg bool
}

// paramPattern is the form of the name of a parameter, which is that of a flag.
var paramPattern = regexp.MustCompile(`^[a-z][a-z0-9]*([-_][a-z0-9]+)*$`)

// readParams reads the tables of parameters.
func (r *Recipe) readParams(all *table) {
	if all == nil {
		return
	}
	names := slices.Collect(maps.Keys(all.m))
	slices.SortFunc(names, func(a, b string) int { // in the order of the file
		x, y := all.doc.Position(all.keys(a)...), all.doc.Position(all.keys(b)...)
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return x.Column - y.Column
	})
	variables := make(map[string]string)
	for _, name := range names {
		t := all.sub(name)
		if t == nil {
			continue
		}
		t.title = "[param." + name + "]"
		p := t.param(name)
		variable := strings.ReplaceAll(name, "-", "_")
		if other, taken := variables[variable]; taken {
			t.fault(t.doc.Position(t.path...), "%s: has the same environment variable as %s", t.title, other)
		}
		variables[variable] = name
		if last := len(r.Params) - 1; p.Arg {
			if i := slices.IndexFunc(r.Params, func(q Param) bool { return q.Arg && q.Repeat }); i >= 0 && i <= last {
				t.fault(t.doc.Position(t.path...), "%s: an argument cannot follow %s, which is repeatable", t.title, r.Params[i].Name)
			}
		}
		r.Params = append(r.Params, p)
	}
}

func (t *table) param(name string) Param {
	if !paramPattern.MatchString(name) {
		t.fault(t.doc.Position(t.path...), "%s: expected lower-case letters, digits, hyphens and underscores in the name, with a letter in front", t.title)
	}
	p := Param{Name: name, About: t.line("about"), Secret: t.flag("secret"), Repeat: t.flag("repeat"), Arg: t.flag("arg")}
	p.Type = Type(t.oneOf("type", string(String), string(Number), string(Bool), string(JSON)))
	if v, ok := t.get("default"); ok {
		p.Default = t.defaultValue(p, v)
	}
	if p.Type == Bool && p.Arg {
		t.wrong("arg", "a boolean cannot be an argument")
	}
	if p.Secret && p.Type != String {
		t.wrong("secret", "only a string can be a credential")
	}
	t.done()
	return p
}

// defaultValue is the default of a parameter in the types of jq. It is taken as it is
// written: references and files are for what the user gives.
func (t *table) defaultValue(p Param, v any) any {
	if !p.Repeat {
		out, ok := typed(p.Type, v)
		if !ok {
			t.wrong("default", "expected a value of the type %s, not %s", p.Type, typeName(v))
		}
		return out
	}
	list, ok := v.([]any)
	if !ok {
		t.wrong("default", "expected a list, because the parameter is repeatable")
	}
	var out []any
	for _, e := range list {
		one, ok := typed(p.Type, e)
		if !ok {
			t.wrong("default", "expected values of the type %s, not %s", p.Type, typeName(e))
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// typed returns a value of TOML in the types of jq, if it is of a type.
func typed(want Type, v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, want == String || want == JSON
	case bool:
		return v, want == Bool || want == JSON
	case int64:
		return int(v), want == Number || want == JSON
	case float64:
		return v, (want == Number || want == JSON) && !math.IsNaN(v) && !math.IsInf(v, 0)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			e, ok := typed(JSON, v[i])
			if !ok {
				return nil, false
			}
			list[i] = e
		}
		return list, want == JSON
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, value := range v {
			e, ok := typed(JSON, value)
			if !ok {
				return nil, false
			}
			object[key] = e
		}
		return object, want == JSON
	}
	return nil, false
}

// Value returns the value that a text is for a parameter, in the types of jq. Its error
// does not quote the text.
func (p Param) Value(text string) (any, error) {
	switch p.Type {
	case Number:
		if n, err := strconv.Atoi(text); err == nil {
			return n, nil
		}
		var n json.Number
		if f, err := strconv.ParseFloat(text, 64); err != nil || math.IsInf(f, 0) || json.Unmarshal([]byte(text), &n) != nil {
			return nil, errors.New("expected a number")
		}
		return n, nil
	case Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, errors.New("expected true or false")
		}
		return b, nil
	case JSON:
		var d eventjson.Decoder // of its own: its maps live as long as the value
		v, err := d.Decode([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("expected JSON: %w", err)
		}
		return v, nil
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}
