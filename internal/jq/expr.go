package jq

import (
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/console"
	"github.com/itchyny/gojq"
)

// An Error is a mistake in an expression, or in a value for its variables.
type Error struct {
	// Flag is where it was given: "--jq", "--argjson name".
	Flag string
	// Expr is what was given.
	Expr string
	// Offset is where in Expr the mistake stands, in bytes; len(Expr) when
	// something is missing at its end, -1 when the place is not known.
	Offset int
	// Msg says what is wrong.
	Msg string
}

func (e *Error) Error() string { return e.Flag + ": " + e.Msg }

// parseError is the Error for an error of gojq.Parse.
func parseError(flag, expr string, err error) *Error {
	e := &Error{Flag: flag, Expr: expr, Offset: -1, Msg: console.Brief(err.Error())}
	if pe, ok := errors.AsType[*gojq.ParseError](err); ok {
		// gojq says how far it had read, the wrong token included; the token of a
		// byte that is not UTF-8 is U+FFFD
		size := len(pe.Token)
		if !strings.HasSuffix(expr[:pe.Offset], pe.Token) {
			size = 1
		}
		e.Offset = max(pe.Offset-size, 0)
		if pe.Offset >= len(expr) && pe.Token == "" && e.Msg == "unexpected EOF" {
			e.Msg = "unexpected end of the expression"
		}
	}
	return e
}

// compileError is the Error for an error of gojq.Compile. Those carry no
// position, so the word that they name is looked for in the expression.
func compileError(flag, expr string, err error) *Error {
	e := &Error{Flag: flag, Expr: expr, Offset: -1, Msg: console.Brief(err.Error())}
	if name, ok := strings.CutPrefix(e.Msg, "function not defined: "); ok {
		name, arity, _ := strings.Cut(name, "/")
		e.Offset = find(expr, func(w word) bool {
			return w.text == name && !w.field && w.call == (arity != "0")
		})
	} else if name, ok := strings.CutPrefix(e.Msg, "variable not defined: "); ok {
		e.Offset = find(expr, func(w word) bool { return w.text == name && w.before != "as" })
	} else if name, ok := strings.CutPrefix(e.Msg, "label not defined: "); ok {
		e.Offset = find(expr, func(w word) bool { return w.text == name && w.before == "break" })
	} else if strings.HasPrefix(e.Msg, "input(s)/0") {
		e.Msg = "input and inputs cannot be used: the expression is run once for each event"
		e.Offset = find(expr, func(w word) bool { return (w.text == "input" || w.text == "inputs") && !w.field })
	} else if strings.HasPrefix(e.Msg, "cannot load module") {
		e.Msg = "modules cannot be used"
		e.Offset = find(expr, func(w word) bool { return w.text == "import" || w.text == "include" })
	}
	return e
}

// checkFormats returns an error for an unknown @format, which gojq would report
// anew for each event.
func checkFormats(flag, expr string) error {
	known := []string{"@text", "@json", "@html", "@uri", "@urid", "@csv", "@tsv", "@sh", "@base64", "@base64d"}
	for w := range words(expr) {
		if w.text[0] == '@' && !slices.Contains(known, w.text) {
			return &Error{Flag: flag, Expr: expr, Offset: w.offset, Msg: "format not defined: " + w.text}
		}
	}
	return nil
}

// find returns the offset of the first word of expr that is meant, or -1.
func find(expr string, meant func(word) bool) int {
	for w := range words(expr) {
		if meant(w) {
			return w.offset
		}
	}
	return -1
}

// A word is an identifier of an expression, with the $ or @ in front of it.
type word struct {
	text   string
	offset int
	before string // the word before it, when only space is between them
	field  bool   // a path such as .name, or the key of an object
	call   bool   // an opening parenthesis follows
}

// words yields the words of expr that are not part of a string or a comment; the
// interpolations of a string are not part of it.
func words(expr string) iter.Seq[word] {
	return func(yield func(word) bool) {
		code, before := masked(expr), ""
		for i := 0; i < len(code); {
			if isWordStart(code[i]) {
				w := wordAt(code, i)
				w.before = before
				if !yield(w) {
					return
				}
				before = w.text
				i += len(w.text)
				continue
			}
			if !isSpace(code[i]) {
				before = ""
			}
			i++
		}
	}
}

// masked is expr with a quotation mark for each byte of a string and with spaces for
// each comment. The interpolations of a string are not part of it.
func masked(expr string) string {
	code := []byte(expr)
	var open []int // one for each interpolation around i: parentheses open in it
	quoted := false
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case quoted && c == '\\':
			if strings.HasPrefix(expr[i:], `\(`) {
				open, quoted = append(open, 0), false
			}
			code[i] = '"'
			if i++; i < len(code) && quoted {
				code[i] = '"'
			}
		case c == '"':
			quoted = !quoted
		case quoted:
			code[i] = '"'
		case c == '#':
			for ; i < len(code) && code[i] != '\n' && code[i] != '\r'; i++ {
				code[i] = ' '
			}
		case c == '(' && len(open) > 0:
			open[len(open)-1]++
		case c == ')' && len(open) > 0:
			if open[len(open)-1]--; open[len(open)-1] < 0 {
				open, quoted = open[:len(open)-1], true
			}
		}
	}
	return string(code)
}

func wordAt(expr string, i int) word {
	end := i + 1
	for end < len(expr) && (isWordTail(expr[end]) || strings.HasPrefix(expr[end:], "::")) {
		if expr[end] == ':' {
			end++
		}
		end++
	}
	rest := strings.TrimLeft(expr[end:], " \t\r\n")
	key := strings.HasPrefix(rest, ":") && expr[i] != '$'
	return word{
		text:   expr[i:end],
		offset: i,
		field:  i > 0 && expr[i-1] == '.' || key,
		call:   strings.HasPrefix(rest, "("),
	}
}

func isWordStart(c byte) bool {
	return c == '_' || c == '$' || c == '@' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isWordTail(c byte) bool {
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// validName reports whether $name can be a variable.
func validName(name string) bool {
	if name == "" || !isWordTail(name[0]) || '0' <= name[0] && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !isWordTail(name[i]) {
			return false
		}
	}
	return true
}
