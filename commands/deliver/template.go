package deliver

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
)

// A template is a text with jq expressions in braces.
type template []part

// A part is text, or an expression.
type part struct{ text, expr string }

// parseTemplate parses a template. A brace is closed by the one that belongs to it: an
// expression may have objects and strings.
func parseTemplate(s string) (t template, err error) {
	for s != "" {
		before, rest, found := strings.Cut(s, "{")
		if before != "" {
			t = append(t, part{text: before})
		}
		if !found {
			break
		}
		end := closing(rest)
		if end < 0 {
			return nil, errors.New("a brace is not closed: expected {EXPR}")
		}
		expr := strings.TrimSpace(rest[:end])
		if expr == "" {
			return nil, errors.New("the braces are empty: expected {EXPR}")
		}
		t, s = append(t, part{expr: expr}), rest[end+1:]
	}
	return t, nil
}

// closing returns the index of the brace that closes the one before s, -1 for none.
func closing(s string) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case c == '}':
			return i
		}
	}
	return -1
}

// varies reports whether there are expressions in it.
func (t template) varies() bool {
	for _, p := range t {
		if p.expr != "" {
			return true
		}
	}
	return false
}

// fixed returns the text of a template that does not vary, and "" for one that does.
func (t template) fixed() string {
	if t.varies() {
		return ""
	}
	var s strings.Builder
	for _, p := range t {
		s.WriteString(p.text)
	}
	return s.String()
}

// compile returns the filter that yields the text for an event.
func (t template) compile(vars jq.Vars) (*jq.Filter, error) {
	var terms []string
	for _, p := range t {
		if p.expr == "" {
			text, err := json.Marshal(p.text)
			if err != nil {
				return nil, err
			}
			terms = append(terms, string(text))
			continue
		}
		if _, err := jq.Compile("--to", p.expr, vars); err != nil { // its own text is in the message
			return nil, err
		}
		terms = append(terms, `((`+p.expr+`
) | if (type == "string" and . != "") or type == "number" then tostring else error("in --to, a string or a number is expected") end)`)
	}
	return jq.Compile("--to", strings.Join(terms, " + "), vars)
}

// Extracts are what the flags make of each event, nil what none of them asks for.
type Extracts struct{ id, key, to *output.Extract }

// Extracts compiles the expressions.
func (f *Flags) Extracts(vars jq.Vars) (x Extracts, err error) {
	for _, e := range []struct {
		flag, expr string
		extract    **output.Extract
	}{{"--to-id", f.id, &x.id}, {"--to-key", f.key, &x.key}} {
		if e.expr == "" {
			continue
		}
		filter, err := jq.Compile(e.flag, e.expr, vars)
		if err != nil {
			return Extracts{}, err
		}
		*e.extract = output.NewExtract(filter)
	}
	if f.place.varies() {
		filter, err := f.place.target.compile(vars)
		if err != nil {
			return Extracts{}, err
		}
		x.to = output.NewExtract(filter)
	}
	return x, nil
}

// Conditions returns what has to look at each event.
func (x Extracts) Conditions() (list []output.Condition) {
	for _, e := range []*output.Extract{x.id, x.key, x.to} {
		if e != nil {
			list = append(list, e)
		}
	}
	return list
}

// Set sets what was found in the event at hand.
func (x Extracts) Set(r *destination.Record) {
	if x.id != nil {
		r.ID = x.id.Text()
	}
	if x.key != nil {
		r.Key = x.key.Text()
	}
	if x.to != nil {
		r.To = x.to.Text()
	}
}
