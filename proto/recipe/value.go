package recipe

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// frameOf makes a frame of an output of send; ok is false for null, which is none.
func (s *session) frameOf(v any, secret bool) (f proto.Frame, ok bool, err error) {
	f = proto.Frame{Opcode: frame.OpText, Secret: secret}
	data, binary, ok, err := eventjson.ValueMessage(v)
	if binary {
		f.Opcode = frame.OpBinary
	}
	if ok {
		f.Payload = append(data, s.svc.recipe.connect.framing.separator...)
	}
	return f, ok, err
}

// key is a value as the key of a map: values that are equal in jq have the same one.
func key(v any) (string, error) {
	switch v := v.(type) {
	case json.Number, float64, int:
		if f, ok := number(v); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return strconv.FormatInt(int64(f), 10), nil
		}
	}
	b, err := eventjson.AppendValue(nil, v)
	return string(b), err
}

// number returns the number that v is.
func number(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// truth reports whether v counts as true.
func truth(v any) bool { return v != nil && v != false }

// anyTrue reports whether there is an output that counts as true.
func anyTrue(outputs []any) bool { return slices.ContainsFunc(outputs, truth) }

// first is the first output; nil if there is none.
func first(outputs []any) any {
	if len(outputs) == 0 {
		return nil
	}
	return outputs[0]
}

// typeOf is the type of a value in jq.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// leaves yields the strings and numbers in v, as texts.
func leaves(v any) iter.Seq[string] {
	return func(yield func(string) bool) { yieldLeaves(v, yield) }
}

func yieldLeaves(v any, yield func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return v == "" || yield(v)
	case []any:
		for _, e := range v {
			if !yieldLeaves(e, yield) {
				return false
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if !yieldLeaves(v[k], yield) {
				return false
			}
		}
	case json.Number, int, float64:
		return yield(fmt.Sprint(v))
	}
	return true
}

// size is about how many bytes v has as JSON.
func size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 2
	case json.Number:
		return len(v)
	case []any:
		n := 2
		for _, e := range v {
			n += size(e) + 1
		}
		return n
	case map[string]any:
		n := 2
		for k, e := range v {
			n += len(k) + size(e) + 4
		}
		return n
	}
	return 8
}
