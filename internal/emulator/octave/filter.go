package octave

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// The filter language of Octave's REST interface, as far as it is common: comparison,
// &&, ||, parentheses, NOT, EXISTS, =~ and IN (flowthings.io documentation, "Filter
// Language"; Octave documentation, "Octave.Event.find"). Other parts of the language
// are refused with their names.

// A filter reports whether an object matches.
type filter func(o object) bool

// filterDepth is the maximum nesting of a filter.
const filterDepth = 100

// parseFilter compiles an expression. An empty one matches everything.
func parseFilter(text string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return func(object) bool { return true }, nil
	}
	p := &filterParser{text: text}
	if err := p.next(); err != nil {
		return nil, err
	}
	f, err := p.or()
	if err == nil && p.kind != endToken {
		err = p.unexpected()
	}
	return f, err
}

type tokenKind int

const (
	endToken    tokenKind = iota
	symbolToken           // an operator or a bracket
	wordToken             // a member or a keyword
	valueToken            // a literal
	regexpToken
)

type filterParser struct {
	text  string
	pos   int // after the token
	depth int

	kind  tokenKind
	token string // as it is written
	value any    // of a literal
	re    *regexp.Regexp
}

func (p *filterParser) unexpected() error {
	if p.kind == endToken {
		return fmt.Errorf("filter ends too early")
	}
	return fmt.Errorf("filter: unexpected %s at character %d", p.token, p.pos-len(p.token)+1)
}

// next scans a token.
func (p *filterParser) next() error {
	rest := strings.TrimLeft(p.text[p.pos:], " \t\r\n")
	p.pos = len(p.text) - len(rest)
	p.kind, p.token, p.value = endToken, "", nil
	if rest == "" {
		return nil
	}
	p.kind = symbolToken
	for _, s := range []string{"&&", "||", "==", "!=", "<=", ">=", "=~", "<", ">", "(", ")", "[", "]", ","} {
		if strings.HasPrefix(rest, s) {
			p.take(s)
			return nil
		}
	}
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return p.quoted(rest)
	case c == '/':
		return p.regexp(rest)
	case c == '-' || c >= '0' && c <= '9':
		p.take(rest[:span(rest, func(c byte) bool { return strings.IndexByte("+-.eE0123456789", c) >= 0 })])
		if !json.Valid([]byte(p.token)) {
			return fmt.Errorf("filter: %s is not a number", p.token)
		}
		p.kind, p.value = valueToken, json.Number(p.token)
	case isWord(c):
		p.take(rest[:span(rest, isWord)])
		p.kind = wordToken
		if v, ok := map[string]any{"true": true, "false": false, "null": nil}[p.token]; ok {
			p.kind, p.value = valueToken, v
		}
	default:
		p.take(rest[:1])
		return p.unexpected()
	}
	return nil
}

func (p *filterParser) take(s string) {
	p.token = s
	p.pos += len(s)
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.:$-", c) >= 0 || c >= 0x80
}

func span(s string, ok func(byte) bool) int {
	n := 0
	for n < len(s) && ok(s[n]) {
		n++
	}
	return n
}

// quoted scans a string in either quotation mark, with backslash escapes.
func (p *filterParser) quoted(rest string) error {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == rest[0]:
			p.take(rest[:i+1])
			p.kind, p.value = valueToken, b.String()
			return nil
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return fmt.Errorf("filter: string without an end")
}

// regexp scans /expression/flags.
func (p *filterParser) regexp(rest string) error {
	end := 1
	for end < len(rest) && rest[end] != '/' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return fmt.Errorf("filter: regular expression without an end")
	}
	expr := strings.ReplaceAll(rest[1:end], `\/`, "/")
	n := span(rest[end+1:], func(c byte) bool { return strings.IndexByte("ims", c) >= 0 })
	flags := rest[end+1 : end+1+n]
	p.take(rest[:end+1+n])
	if flags != "" {
		expr = "(?" + flags + ")" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	p.kind, p.re = regexpToken, re
	return nil
}

// accept consumes a symbol or keyword if it is next.
func (p *filterParser) accept(token string) (bool, error) {
	if p.kind != symbolToken && p.kind != wordToken || p.token != token {
		return false, nil
	}
	return true, p.next()
}

func (p *filterParser) or() (filter, error) {
	return p.chain("||", p.and, func(a, b filter) filter {
		return func(o object) bool { return a(o) || b(o) }
	})
}

func (p *filterParser) and() (filter, error) {
	return p.chain("&&", p.not, func(a, b filter) filter {
		return func(o object) bool { return a(o) && b(o) }
	})
}

func (p *filterParser) chain(symbol string, operand func() (filter, error), join func(a, b filter) filter) (filter, error) {
	f, err := operand()
	for err == nil {
		ok := false
		if ok, err = p.accept(symbol); !ok || err != nil {
			break
		}
		var g filter
		if g, err = operand(); err == nil {
			f = join(f, g)
		}
	}
	return f, err
}

func (p *filterParser) not() (filter, error) {
	if p.depth++; p.depth > filterDepth {
		return nil, fmt.Errorf("filter is nested too deeply")
	}
	defer func() { p.depth-- }()
	if ok, err := p.accept("NOT"); err != nil {
		return nil, err
	} else if ok {
		f, err := p.not()
		return func(o object) bool { return !f(o) }, err
	}
	if ok, err := p.accept("("); err != nil {
		return nil, err
	} else if ok {
		f, err := p.or()
		if err != nil {
			return nil, err
		}
		ok, err := p.accept(")")
		if !ok && err == nil {
			err = p.unexpected()
		}
		return f, err
	}
	if ok, err := p.accept("EXISTS"); err != nil {
		return nil, err
	} else if ok {
		m, err := p.operand()
		if err == nil && m.path == "" {
			err = fmt.Errorf("filter: EXISTS needs a member")
		}
		return func(o object) bool { _, ok := m.of(o); return ok }, err
	}
	return p.comparison()
}

// A filterOperand is a literal or a member.
type filterOperand struct {
	value any
	path  string
}

func (m filterOperand) of(o object) (any, bool) {
	if m.path == "" {
		return m.value, true
	}
	return o.member(m.path)
}

func (p *filterParser) operand() (filterOperand, error) {
	m := filterOperand{value: p.value}
	switch p.kind {
	case valueToken:
	case wordToken:
		switch p.token {
		case "HAS", "AGE", "MATCHES", "CONTAINS", "WITHIN", "IN", "EXISTS", "NOT":
			return m, fmt.Errorf("filter: %s is not possible here", p.token)
		}
		m.path = p.token
	default:
		return m, p.unexpected()
	}
	return m, p.next()
}

func (p *filterParser) comparison() (filter, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op, kind := p.token, p.kind
	switch {
	case kind == symbolToken && (op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">="):
	case kind == symbolToken && op == "=~":
		return p.match(left)
	case kind == wordToken && op == "IN":
		return p.in(left)
	case kind == wordToken:
		return nil, fmt.Errorf("filter: %s is not possible here", op)
	default:
		return nil, p.unexpected()
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	right, err := p.operand()
	return func(o object) bool {
		a, okA := left.of(o)
		b, okB := right.of(o)
		if !okA || !okB {
			return op == "!=" && okA != okB
		}
		return compareBy(op, a, b)
	}, err
}

// compareBy evaluates a comparison. Values of different types are unequal, and not
// ordered.
func compareBy(op string, a, b any) bool {
	n, ok := compareValues(a, b)
	switch op {
	case "==":
		return ok && n == 0
	case "!=":
		return !ok || n != 0
	case "<":
		return ok && n < 0
	case "<=":
		return ok && n <= 0
	case ">":
		return ok && n > 0
	}
	return ok && n >= 0
}

func (p *filterParser) match(left filterOperand) (filter, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.kind != regexpToken {
		return nil, fmt.Errorf("filter: =~ needs a /regular expression/")
	}
	re := p.re
	return func(o object) bool {
		v, _ := left.of(o)
		s, ok := v.(string)
		return ok && re.MatchString(s)
	}, p.next()
}

func (p *filterParser) in(left filterOperand) (filter, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if ok, err := p.accept("["); !ok || err != nil {
		return nil, fmt.Errorf("filter: IN needs a [list]")
	}
	var list []any
	for p.kind == valueToken {
		list = append(list, p.value)
		if err := p.next(); err != nil {
			return nil, err
		}
		if ok, err := p.accept(","); err != nil {
			return nil, err
		} else if !ok {
			break
		}
	}
	if ok, err := p.accept("]"); err != nil {
		return nil, err
	} else if !ok {
		return nil, p.unexpected()
	}
	return func(o object) bool {
		v, ok := left.of(o)
		for _, w := range list {
			if ok && compareBy("==", v, w) {
				return true
			}
		}
		return false
	}, nil
}
