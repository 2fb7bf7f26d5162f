package eventjson

import "encoding/binary"

// Streams repeat themselves: the names of members in every event, and values such as a
// type, a unit or the id of a device in many. Short strings are cached in tables of
// fixed size, where a new entry replaces the old one, so their size is bounded however
// the stream changes.

const (
	// maxShort is the maximum length of a string in a table, in bytes.
	maxShort  = 32
	tableBits = 8
)

type names [1 << tableBits]string

// get returns b as a string.
func (t *names) get(b []byte) string {
	p := &t[slot(b)]
	if *p != string(b) {
		*p = string(b)
	}
	return *p
}

// A box is a string and the same string as an any, because the conversion costs an
// allocation.
type box struct {
	s string
	v any
}

type boxes [1 << tableBits]box

// get returns b as a string in an any.
func (t *boxes) get(b []byte) any {
	p := &t[slot(b)]
	if p.v == nil || p.s != string(b) {
		s := string(b)
		*p = box{s, s}
	}
	return p.v
}

// slot returns the index of b in a table.
func slot(b []byte) uint64 {
	const k = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	h := uint64(len(b))
	for len(b) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(b)) * k
		h ^= h >> 32
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * k
	}
	return (h * k) >> (64 - tableBits)
}
