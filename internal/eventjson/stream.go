package eventjson

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"
)

// Check returns the error of AppendValue for v.
func Check(v any) error { return check(v, 0) }

func check(v any, depth int) error {
	switch v := v.(type) {
	case nil, bool, int, float64, *big.Int, string:
		return nil
	case json.Number:
		_, err := appendValue(nil, v, 0)
		return err
	case []any:
		return checkAll(slices.Values(v), depth)
	case map[string]any:
		return checkAll(maps.Values(v), depth)
	}
	return fmt.Errorf("a value of type %T has no JSON form", v)
}

func checkAll(values iter.Seq[any], depth int) error {
	if depth == MaxDepth {
		return ErrTooDeep
	}
	for v := range values {
		if err := check(v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// StreamValue is AppendValue for long values: it calls flush with the buffer whenever
// that has some kibibytes. flush returns the buffer to continue with; StreamValue
// returns its error. v must have passed Check.
func StreamValue(dst []byte, v any, flush func([]byte) ([]byte, error)) ([]byte, error) {
	s := stream{dst, flush}
	err := s.value(v)
	return s.buf, err
}

// A stream is the state of StreamValue.
type stream struct {
	buf   []byte
	flush func([]byte) ([]byte, error)
}

// add appends a piece, of at most a few kibibytes.
func (s *stream) add(piece string) (err error) {
	if s.buf = append(s.buf, piece...); len(s.buf) >= short {
		s.buf, err = s.flush(s.buf)
	}
	return err
}

func (s *stream) value(v any) (err error) {
	switch v := v.(type) {
	case string:
		return s.string(v)
	case []any:
		return s.array(v)
	case map[string]any:
		return s.object(v)
	}
	if s.buf, err = appendValue(s.buf, v, 0); err != nil {
		return err
	}
	return s.add("")
}

func (s *stream) string(text string) error {
	s.buf = append(s.buf, '"')
	for len(text) > 0 {
		n := CutText(text, short)
		s.buf = AppendText(s.buf, text[:n])
		if err := s.add(""); err != nil {
			return err
		}
		text = text[n:]
	}
	return s.add(`"`)
}

func (s *stream) array(a []any) error {
	open := "["
	for _, v := range a {
		if err := s.add(open); err != nil {
			return err
		}
		if err := s.value(v); err != nil {
			return err
		}
		open = ","
	}
	if len(a) == 0 {
		s.buf = append(s.buf, open...)
	}
	return s.add("]")
}

func (s *stream) object(m map[string]any) error {
	open := "{"
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := s.add(open); err != nil {
			return err
		}
		if err := s.string(name); err != nil {
			return err
		}
		s.buf = append(s.buf, ':')
		if err := s.value(m[name]); err != nil {
			return err
		}
		open = ","
	}
	if len(m) == 0 {
		s.buf = append(s.buf, open...)
	}
	return s.add("}")
}
