package eventjson

// A Kind is the kind of a JSON value. They are in the order that values of different
// kinds have in jq.
type Kind uint8

// The kinds of values.
const (
	KindNull Kind = iota + 1
	KindFalse
	KindTrue
	KindNumber
	KindString
	KindArray
	KindObject
)

// kinds are the kinds of values by their first byte.
var kinds = [256]Kind{
	'n': KindNull, 'f': KindFalse, 't': KindTrue, '"': KindString, '[': KindArray, '{': KindObject,
	'-': KindNumber, '0': KindNumber, '1': KindNumber, '2': KindNumber, '3': KindNumber, '4': KindNumber,
	'5': KindNumber, '6': KindNumber, '7': KindNumber, '8': KindNumber, '9': KindNumber,
}

// KindOf returns the kind of the JSON value in b, which begins without white space.
func KindOf(b []byte) Kind { return kinds[b[0]] }
