package jq

import (
	"encoding/json"
	"fmt"
	"math/big"
	"sync"

	"github.com/itchyny/gojq"
)

// loops stand for assignments and for add(f) in the expression of a Program. As in jq,
// an assignment sets the paths one after another, and those whose new value is empty
// are deleted at the end. The state is the value, the size of what was put into it, and
// the paths to delete.
const loops = `
def _checked_assign(p; $new):
  reduce path(p) as $path ([., 0];
    _check_set($path; $new) as $size | [(.[0] | setpath($path; $new)), $size])
  | .[0] | _check;
def _checked_modify(p; f):
  reduce path(p) as $path ([., 0, []];
    label $set
    | ((.[0] | getpath($path) | f) as $new
      | _check_set($path; $new) as $size
      | [(.[0] | setpath($path; $new)), $size, .[2]]
      | ., break $set), [.[0], .[1], .[2] + [$path]])
  | .[2] as $deleted | .[0] | delpaths($deleted) | _check;
def _checked_add(f):
  reduce f as $x (null; _check_add(.; $x) as [$l, $r] | $l + $r);
.`

var loopDefs = sync.OnceValue(func() []*gojq.FuncDef {
	q, err := gojq.Parse(loops)
	if err != nil {
		panic(err)
	}
	return q.FuncDefs
})

const (
	// maxDigits is how many digits a number may have that is computed with.
	maxDigits = 100_000
	// maxPairs is how many pairs of elements, or of bytes of what contains them, one
	// native function may have to compare.
	maxPairs = 1 << 27
	maxBytes = 1 << 32
	// A text in which all matches are looked for may have one byte for so many of the
	// largest value, or minText: there may be a match at each, with an object for it.
	matchBytes = 64
	minText    = 64 << 10
)

// checks are the functions that a rewritten expression calls. What they find too large
// ends the run; nothing in the expression can catch it.
func (p *Program) checks() []gojq.CompilerOption {
	function := func(name string, args int, check func(v any, args []any) (any, bool)) gojq.CompilerOption {
		return gojq.WithFunction(name, args, args, func(v any, args []any) any {
			out, ok := check(v, args)
			if !ok {
				return p.meter.tooLarge() // if nothing more exact has been said
			}
			return out
		})
	}
	// operands passes the arguments on as an array, which is not that of args: that is
	// used again.
	operands := func(name string, args int, check func(v any, args []any) bool) gojq.CompilerOption {
		return function(name, args, func(v any, args []any) (any, bool) {
			return append([]any(nil), args...), check(v, args)
		})
	}
	return []gojq.CompilerOption{
		function("_check", 0, func(v any, _ []any) (any, bool) {
			n, ok := p.size(v)
			p.meter.made += n
			return v, ok
		}),
		function("_check_grow", 1, func(v any, args []any) (any, bool) {
			n, ok := p.size(args[0])
			n += v.(int) + 1
			return n, ok && n <= p.options.MaxValue+1
		}),
		function("_check_set", 2, func(v any, args []any) (any, bool) {
			state := v.([]any)
			n, ok := p.set(state[0], args[0], args[1])
			n += state[1].(int)
			return n, ok && n <= p.options.MaxValue
		}),
		function("_check_text", 0, func(v any, _ []any) (any, bool) {
			if text, ok := v.(string); ok && len(text) > max(p.options.MaxValue/matchBytes, minText) {
				p.meter.exceed("size", fmt.Sprintf("a text of %d bytes is too long for finding matches in it", len(text)))
				return nil, false
			}
			return v, true
		}),
		operands("_check_add", 2, func(_ any, args []any) bool { return p.sum(args[0], args[1]) }),
		operands("_check_multiply", 2, func(_ any, args []any) bool { return p.product(args[0], args[1]) }),
		operands("_check_subtract", 2, func(_ any, args []any) bool {
			l, _ := args[0].([]any)
			r, _ := args[1].([]any)
			return p.pairs(len(l), len(r), maxPairs) && p.computable(digitsOf(args[0])+digitsOf(args[1]))
		}),
		operands("_check_numbers", 2, func(_ any, args []any) bool {
			return p.computable(digitsOf(args[0]) + digitsOf(args[1]))
		}),
		operands("_check_join", 1, func(v any, args []any) bool {
			n, ok := p.size(v)
			elements, _ := v.([]any)
			separator, _ := args[0].(string)
			return ok && float64(n)+float64(len(elements))*float64(len(separator)) <= float64(p.options.MaxValue)
		}),
		operands("_check_setpath", 2, func(v any, args []any) bool {
			n, ok := p.set(v, args[0], args[1])
			return ok && n <= p.options.MaxValue
		}),
		operands("_check_pairs", 1, func(v any, args []any) bool {
			if _, isText := v.(string); isText {
				return true
			}
			l, ok := p.size(v)
			r, fits := p.size(args[0])
			return ok && fits && p.pairs(l, r, maxBytes)
		}),
		function("_check_transpose", 0, func(v any, _ []any) (any, bool) {
			rows, _ := v.([]any)
			columns := 0
			for _, row := range rows {
				row, _ := row.([]any)
				columns = max(columns, len(row))
			}
			return nil, float64(len(rows))*float64(columns*nullSize) <= float64(p.options.MaxValue)
		}),
	}
}

// nullSize is how much an array grows by an element that is set beyond its end.
const nullSize = len("null,")

func (p *Program) size(v any) (n int, ok bool) { return p.meter.size(v) }

// sum reports whether l + r fits.
func (p *Program) sum(l, r any) bool {
	ls, ok := l.(string)
	rs, both := r.(string)
	if ok && both {
		return len(ls)+len(rs)+2 <= p.options.MaxValue
	}
	n, ok := p.size(l)
	m, fits := p.size(r)
	return ok && fits && n+m <= p.options.MaxValue+2 && p.computable(digitsOf(l)+digitsOf(r))
}

// product reports whether l * r fits.
func (p *Program) product(l, r any) bool {
	text, ok := l.(string)
	times, isNumber := gojq.ToFloat64(r)
	if !ok {
		text, ok = r.(string)
		times, isNumber = gojq.ToFloat64(l)
	}
	if ok && isNumber {
		return !(float64(len(text))*times > float64(p.options.MaxValue))
	}
	n, ok := p.size(l)
	m, fits := p.size(r)
	return ok && fits && n+m <= p.options.MaxValue+2 && p.computable(digitsOf(l)+digitsOf(r))
}

// set is how much v grows, at most, when new is put at a path.
func (p *Program) set(v, path, new any) (n int, ok bool) {
	n, ok = p.size(new)
	keys, _ := path.([]any)
	if len(keys) > maxDepth {
		return 0, false
	}
	for _, key := range keys {
		switch k := key.(type) {
		case string:
			n += len(k)
			object, _ := v.(map[string]any)
			v = object[k]
			continue
		case map[string]any: // a slice, which never reaches beyond the end
			v = nil
			continue
		}
		array, _ := v.([]any)
		v = nil
		i, isNumber := gojq.ToInt(key)
		if !isNumber {
			continue
		}
		if beyond := i + 1 - len(array); beyond > 0 {
			if beyond > p.options.MaxValue {
				return 0, false
			}
			n += beyond * nullSize
		} else if i < 0 && i+len(array) >= 0 {
			v = array[i+len(array)]
		} else if i >= 0 {
			v = array[i]
		}
	}
	return n, ok
}

// pairs reports whether so many values may be compared with so many others.
func (p *Program) pairs(l, r int, most float64) bool {
	if float64(l)*float64(r) <= most {
		return true
	}
	p.meter.exceed("time", "too many values to compare with one another")
	return false
}

// computable reports whether numbers with so many digits may be computed with.
func (p *Program) computable(digits int) bool {
	if digits <= maxDigits {
		return true
	}
	p.meter.exceed("size", fmt.Sprintf("a number of more than %d digits", maxDigits))
	return false
}

// digitsOf is about how many digits a number has that is large, or 0.
func digitsOf(v any) int {
	switch v := v.(type) {
	case json.Number:
		return len(v)
	case *big.Int:
		return digits(v.BitLen())
	}
	return 0
}
