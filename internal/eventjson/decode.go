package eventjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A Decoder turns JSON into the types that gojq works with: nil, bool, int,
// json.Number, string, []any and map[string]any. A number becomes an int when it is
// written as an integer and fits; every other number, and -0, becomes a json.Number
// that keeps its text. An escape that is half of a surrogate pair becomes U+FFFD. Of
// several members with the same name the last is used.
//
// The zero value is ready to use. A Decoder is for repeated use by one goroutine: it
// caches member names and short strings, and reuses its maps.
type Decoder struct {
	// Limit is how much memory a value may need, in bytes, approximately; 0 for no
	// limit. A value may need twenty times the size of its text.
	Limit int

	b    []byte
	deep bool // b is nested too deeply
	// taken is the result of Taken, and most its limit
	taken, most int

	members  []string // names of the objects that are being read
	elements []any    // and their values, and the elements of arrays
	text     []byte   // a string without its escapes

	maps  []map[string]any // the first used of them are part of the last value
	used  int
	names names
	boxes boxes
}

const (
	// maxMaps is how many maps a Decoder retains, and maxMembers how many members such
	// a map may have had, so that rare large ones are not retained.
	maxMaps    = 256
	maxMembers = 64
	// maxStack is how long its stacks may stay between two calls.
	maxStack = 4096
)

// ErrTooLarge is the error for a value that would need more memory than the Limit of
// the Decoder.
var ErrTooLarge = errors.New("value takes too much memory")

// The sizes of values in memory, in bytes, approximately.
const (
	boxSize    = 16 // an element of an array, a number, half of a string without its text
	arraySize  = 32
	mapSize    = 320 // of at most 8 members
	memberSize = 64  // of a larger one, and an object without any
)

// Taken returns the approximate size in memory of the last value, or the size at which
// it exceeded the limit, in bytes.
func (d *Decoder) Taken() int { return d.taken }

// spend adds to taken, and reports whether that is within the limit.
func (d *Decoder) spend(n int) bool {
	d.taken += n
	return d.taken <= d.most
}

// growElements and growMembers double a stack, or return false.
func (d *Decoder) growElements() bool {
	n := max(len(d.elements), 32)
	if !d.spend(2 * n * boxSize) { // both the old and the new one are in memory
		return false
	}
	d.elements = slices.Grow(d.elements, n)
	return true
}

func (d *Decoder) growMembers() bool {
	n := max(len(d.members), 32)
	if !d.spend(2 * n * boxSize) {
		return false
	}
	d.members = slices.Grow(d.members, n)
	return true
}

// Decode returns the value in b, by the rules of Valid. The value must not be modified,
// and its objects are valid only until the next call of Decode, which reuses them. b is
// not retained. The error is a *SyntaxError or ErrTooLarge.
func (d *Decoder) Decode(b []byte) (any, error) { return d.DecodeSelected(b, nil) }

// document decodes b.
func (d *Decoder) document(b []byte, sel *Selection) (any, int) {
	d.recycle()
	d.b, d.deep, d.taken, d.most = b, false, 0, d.Limit
	if d.most == 0 {
		d.most = math.MaxInt
	}
	v, i := d.value(0, 0, sel)
	if i >= 0 {
		if i, _ = skipSpace(b, i, 0); i < len(b) {
			i = ^i
		}
	}
	d.b = nil
	if i < 0 {
		d.reset()
	}
	return v, i
}

// recycle reclaims the maps of the last value.
func (d *Decoder) recycle() {
	for i, m := range d.maps[:d.used] {
		if len(m) > maxMembers {
			d.maps[i] = make(map[string]any)
			continue
		}
		clear(m)
	}
	d.used = 0
	if cap(d.elements) > maxStack || cap(d.members) > maxStack || cap(d.text) > maxStack {
		d.elements, d.members, d.text = nil, nil, nil
	}
}

// reset clears the stacks after an error.
func (d *Decoder) reset() {
	clear(d.elements)
	d.members, d.elements = d.members[:0], d.elements[:0]
}

// The methods below return the position after what they read, or the result of the scan
// functions for an error.

func (d *Decoder) value(i, depth int, sel *Selection) (any, int) {
	b := d.b
	i, _ = skipSpace(b, i, 0)
	if uint(i) >= uint(len(b)) {
		return nil, ^i
	}
	switch c := b[i]; c {
	case '"':
		return d.string(i + 1)
	case '{', '[':
		if depth == MaxDepth {
			d.deep = true
			return nil, ^i
		}
		if c == '{' {
			return d.object(i, depth+1, sel)
		}
		return d.array(i, depth+1)
	case 't':
		return true, scanWord(b, i, "true")
	case 'f':
		return false, scanWord(b, i, "false")
	case 'n':
		return nil, scanWord(b, i, "null")
	}
	return d.number(i)
}

func (d *Decoder) object(i, depth int, sel *Selection) (any, int) {
	b := d.b
	mbase, ebase := len(d.members), len(d.elements)
	i, _ = skipSpace(b, i+1, 0)
	if uint(i) < uint(len(b)) && b[i] == '}' {
		if !d.spend(memberSize) {
			return nil, ^i
		}
		return d.newMap(0), i + 1
	}
	for {
		if uint(i) >= uint(len(b)) || b[i] != '"' {
			return nil, ^i
		}
		start := i + 1
		end := scanString(b, start)
		if end < 0 {
			return nil, end
		}
		if i, _ = skipSpace(b, end, 0); uint(i) >= uint(len(b)) || b[i] != ':' {
			return nil, ^i
		}
		name, what, wanted := d.member(b[start:end-1], sel)
		if wanted {
			var v any
			if v, i = d.value(i+1, depth, what); i < 0 {
				return nil, i
			}
			if len(d.members) == cap(d.members) && !d.growMembers() {
				return nil, ^i
			}
			d.members = append(d.members, name)
			if len(d.elements) == cap(d.elements) && !d.growElements() {
				return nil, ^i
			}
			d.elements = append(d.elements, v)
		} else if i = d.skip(i+1, depth); i < 0 {
			return nil, i
		}
		i, _ = skipSpace(b, i, 0)
		if uint(i) < uint(len(b)) && b[i] == ',' {
			i, _ = skipSpace(b, i+1, 0)
			continue
		}
		if uint(i) < uint(len(b)) && b[i] == '}' {
			break
		}
		return nil, ^i
	}
	names, values := d.members[mbase:], d.elements[ebase:]
	size := mapSize
	if n := len(names); n > 8 {
		size += n * memberSize
	}
	if !d.spend(size) {
		return nil, ^i
	}
	m := d.newMap(len(names))
	for j, name := range names {
		m[name] = values[j]
	}
	clear(values)
	d.members, d.elements = d.members[:mbase], d.elements[:ebase]
	return m, i + 1
}

// newMap returns an empty map for n members.
func (d *Decoder) newMap(n int) map[string]any {
	if d.used < len(d.maps) {
		m := d.maps[d.used]
		d.used++
		return m
	}
	m := make(map[string]any, n)
	if len(d.maps) < maxMaps {
		d.maps = append(d.maps, m)
		d.used++
	}
	return m
}

func (d *Decoder) array(i, depth int) (any, int) {
	b := d.b
	base := len(d.elements)
	i, _ = skipSpace(b, i+1, 0)
	if uint(i) < uint(len(b)) && b[i] == ']' {
		if !d.spend(arraySize) {
			return nil, ^i
		}
		return []any{}, i + 1
	}
	for {
		var v any
		if v, i = d.value(i, depth, nil); i < 0 {
			return nil, i
		}
		if len(d.elements) == cap(d.elements) && !d.growElements() {
			return nil, ^i
		}
		d.elements = append(d.elements, v)
		i, _ = skipSpace(b, i, 0)
		if uint(i) < uint(len(b)) && b[i] == ',' {
			i++
			continue
		}
		if uint(i) < uint(len(b)) && b[i] == ']' {
			break
		}
		return nil, ^i
	}
	values := d.elements[base:]
	if !d.spend(arraySize + boxSize*len(values)) {
		return nil, ^i
	}
	a := make([]any, len(values))
	copy(a, values)
	clear(values)
	d.elements = d.elements[:base]
	return a, i + 1
}

// member returns the name of a member, whose text scanString has accepted, and the
// selection for its value.
func (d *Decoder) member(text []byte, sel *Selection) (name string, what *Selection, wanted bool) {
	t := d.resolve(text)
	switch {
	case sel != nil:
		if i := sel.find(t); i >= 0 {
			return sel.members[i].name, sel.members[i].what, true
		}
		return "", nil, false
	case len(t) <= maxShort:
		return d.names.get(t), nil, true
	}
	if !d.spend(len(t)) {
		return "", nil, true // and so it is here
	}
	return string(t), nil, true
}

// string reads the string whose text begins at i.
func (d *Decoder) string(i int) (any, int) {
	end := scanString(d.b, i)
	if end < 0 {
		return nil, end
	}
	t := d.resolve(d.b[i : end-1])
	if !d.spend(2*boxSize + len(t)) {
		return nil, ^i
	}
	if len(t) <= maxShort {
		return d.boxes.get(t), end
	}
	return string(t), end
}

// resolve replaces the escape sequences in t, which scanString has accepted. The
// result is valid until the next call.
func (d *Decoder) resolve(t []byte) []byte {
	i := 0
	for i < len(t) && t[i] != '\\' {
		i++
	}
	if i == len(t) {
		return t
	}
	if len(t) > cap(d.text) {
		if !d.spend(len(t)) {
			return t // the caller checks taken
		}
		d.text = make([]byte, 0, len(t)) // it gets no longer
	}
	d.text = appendUnescaped(append(d.text[:0], t[:i]...), t[i:])
	return d.text
}

// AppendUnescaped appends the text of a JSON string to dst, which is what stands between
// its quotes, with its escapes resolved as a Decoder does.
func AppendUnescaped(dst, t []byte) []byte {
	i := bytes.IndexByte(t, '\\')
	if i < 0 {
		return append(dst, t...)
	}
	return appendUnescaped(append(dst, t[:i]...), t[i:])
}

func appendUnescaped(out, t []byte) []byte {
	for i := 0; i < len(t); {
		c := t[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		c = t[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(t, i)
			i += 4
			if utf16.IsSurrogate(r) {
				var low rune = -1
				if i+1 < len(t) && t[i] == '\\' && t[i+1] == 'u' {
					low = hex4(t, i+2)
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, c)
	}
	return out
}

// fastDigits is how many decimal digits always fit into an int.
const fastDigits = bits.UintSize * 9 / 32

func (d *Decoder) number(i int) (any, int) {
	end := scanNumber(d.b, i)
	if end < 0 {
		return nil, end
	}
	t := d.b[i:end]
	if !d.spend(boxSize + len(t)) {
		return nil, ^i
	}
	digits := t
	if t[0] == '-' {
		digits = t[1:]
	}
	n := 0
	for _, c := range digits {
		if c -= '0'; c > 9 {
			d.taken += boxSize
			return json.Number(t), end
		}
		n = n*10 + int(c)
	}
	if len(digits) > fastDigits { // n may have wrapped around
		var err error
		if n, err = strconv.Atoi(string(t)); err != nil {
			return json.Number(t), end
		}
		return n, end
	}
	if len(digits) < len(t) {
		if n == 0 {
			return json.Number(t), end // -0, which no int can be
		}
		n = -n
	}
	return n, end
}
