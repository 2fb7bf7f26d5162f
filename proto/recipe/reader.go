package recipe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/tomlfile"
)

// A reader reads a recipe from a document, and collects the mistakes.
type reader struct {
	file string
	doc  *tomlfile.Document
	errs Errors
}

// A table is one table of the document.
type table struct {
	*reader
	path  []string // of its keys and indices in the document
	title string   // as messages name it: "[[on]] 2"; empty for the top
	m     map[string]any
	known []string // keys that were asked for
}

// fault notes a mistake at a position.
func (r *reader) fault(at tomlfile.Position, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.file, Position: at, Msg: fmt.Sprintf(format, args...), line: r.doc.Line(at.Line)})
}

// sorted returns the mistakes in the order of the file.
func (r *reader) sorted() Errors {
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Position.Line, b.Position.Line), cmp.Compare(a.Position.Column, b.Position.Column))
	})
	return r.errs
}

// keys is the path of a key of the table.
func (t *table) keys(key string) []string { return append(slices.Clone(t.path), key) }

// name is how messages name a key.
func (t *table) name(key string) string {
	if t.title == "" {
		return key
	}
	return t.title + ", " + key
}

// wrong notes a mistake in the value of a key.
func (t *table) wrong(key, format string, args ...any) {
	t.fault(t.doc.Value(t.keys(key)...), "%s: %s", t.name(key), fmt.Sprintf(format, args...))
}

// get returns the value of a key, and takes note that it is known.
func (t *table) get(key string) (v any, ok bool) {
	t.known = append(t.known, key)
	v, ok = t.m[key]
	return v, ok
}

// done notes the keys that were not read.
func (t *table) done() {
	for _, key := range slices.Sorted(maps.Keys(t.m)) {
		if slices.Contains(t.known, key) {
			continue
		}
		where := "a recipe"
		if t.title != "" {
			where, _, _ = strings.Cut(t.title, " ")
		}
		t.fault(t.doc.Position(t.keys(key)...), "unknown key in %s: %s; expected one of %s", where, tomlfile.Key(key), strings.Join(slices.Sorted(slices.Values(t.known)), ", "))
	}
}

// typeName is a type of TOML as messages name it.
func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64, float64:
		return "a number"
	case bool:
		return "a boolean"
	case time.Time:
		return "a time"
	case map[string]any:
		return "a table"
	}
	return "a list"
}

// text reads a literal string.
func (t *table) text(key string) string {
	v, ok := t.get(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, "expected a string, not %s", typeName(v))
	}
	return s
}

// line reads a literal string that is to be printed.
func (t *table) line(key string) string {
	s := t.text(key)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		t.wrong(key, "must not contain line breaks or control characters")
		return ""
	}
	return s
}

// flag reads a literal boolean.
func (t *table) flag(key string) bool {
	v, ok := t.get(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		t.wrong(key, "expected true or false, not %s", typeName(v))
	}
	return b
}

// integer reads a literal integer within bounds.
func (t *table) integer(key string, least, most int) int {
	v, ok := t.get(key)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	if !ok || n < int64(least) || n > int64(most) {
		t.wrong(key, "expected an integer from %d to %d", least, most)
		return 0
	}
	return int(n)
}

// oneOf reads a literal string that is one of several; the first is the default.
func (t *table) oneOf(key string, words ...string) string {
	s := t.text(key)
	if _, ok := t.m[key].(string); ok && !slices.Contains(words, s) {
		t.wrong(key, "expected %s", strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
		s = ""
	}
	return cmp.Or(s, words[0])
}

// strings reads a list of literal strings.
func (t *table) strings(key string) (list []string) {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	elements, ok := v.([]any)
	if !ok {
		t.wrong(key, "expected a list of strings, not %s", typeName(v))
	}
	for i, e := range elements {
		s, ok := e.(string)
		if !ok {
			t.fault(t.doc.Value(append(t.keys(key), strconv.Itoa(i))...), "%s: expected a string, not %s", t.name(key), typeName(e))
			continue
		}
		list = append(list, s)
	}
	return list
}

// codes reads a list of status codes of close frames.
func (t *table) codes(key string) (list []int) {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	elements, ok := v.([]any)
	if !ok {
		t.wrong(key, "expected a list of status codes, not %s", typeName(v))
	}
	for i, e := range elements {
		n, ok := e.(int64)
		if !ok || n < 1000 || n > 4999 {
			t.fault(t.doc.Value(append(t.keys(key), strconv.Itoa(i))...), "%s: expected a status code from 1000 to 4999", t.name(key))
			continue
		}
		list = append(list, int(n))
	}
	return list
}

// sub reads a table below this one; nil if there is none.
func (t *table) sub(key string) *table {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.fault(t.doc.Position(t.keys(key)...), "%s: expected a table, written [%s], not %s", t.name(key), key, typeName(v))
		return nil
	}
	return &table{reader: t.reader, path: t.keys(key), title: "[" + key + "]", m: m}
}

// list reads a list of tables below this one.
func (t *table) list(key string) (tables []*table) {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	list, ok := v.([]map[string]any)
	if !ok {
		t.fault(t.doc.Position(t.keys(key)...), "%s: expected a list of tables, written [[%s]], not %s", t.name(key), key, typeName(v))
	}
	for i, m := range list {
		tables = append(tables, &table{
			reader: t.reader, path: append(t.keys(key), strconv.Itoa(i)), title: fmt.Sprintf("[[%s]] %d", key, i+1), m: m,
		})
	}
	return tables
}
