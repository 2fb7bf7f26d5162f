package eventjson

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// The pieces together are the result of AppendValue, and no piece is long.
func TestStreamValue(t *testing.T) {
	wide := strings.Repeat("漢\x01é\xff", 10_000)
	deep := any(1)
	for range MaxDepth {
		deep = []any{deep}
	}
	for _, v := range []any{
		nil, true, 1, -1.5, json.Number("1e400"), new(big.Int).Lsh(big.NewInt(1), 80), "", "a\"b", wide,
		[]any{}, map[string]any{}, []any{1, []any{}, map[string]any{}, wide, "x"},
		map[string]any{"b": wide, "a": []any{1, 2}, wide: nil}, deep,
	} {
		want, err := AppendValue([]byte("> "), v)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(v); err != nil {
			t.Errorf("%.40s: %v", want, err)
		}
		var got []byte
		rest, err := StreamValue([]byte("> "), v, func(b []byte) ([]byte, error) {
			if len(b) > 32<<10 {
				t.Errorf("%.40s: a piece of %d bytes", want, len(b))
			}
			got = append(got, b...)
			return b[:0], nil
		})
		if got = append(got, rest...); err != nil || string(got) != string(want) {
			t.Errorf("%.40s: %.40s, %v", want, got, err)
		}
	}
	full := errors.New("full")
	n := 0
	_, err := StreamValue(nil, []any{wide, map[string]any{"a": wide}}, func(b []byte) ([]byte, error) {
		if n++; n == 20 {
			return nil, full
		}
		return b[:0], nil
	})
	if err != full || n != 20 {
		t.Errorf("%v after %d pieces", err, n)
	}
}

// Check and AppendValue return the same errors.
func TestCheck(t *testing.T) {
	deep := any(1)
	for range MaxDepth + 1 {
		deep = map[string]any{"a": []any{deep}}
	}
	for _, v := range []any{deep, json.Number("x"), []any{json.Number("")}, map[string]any{"a": int64(1)}, struct{}{}} {
		_, want := AppendValue(nil, v)
		if err := Check(v); err == nil || err.Error() != want.Error() {
			t.Errorf("%v, want %v", err, want)
		}
	}
}
