package eventjson

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// For any text, decoding allocates at most about as much as the limit; and with a
// sufficient limit, it returns the value.
func TestDecoderLimit(t *testing.T) {
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const n = 60_000
	texts := map[string]string{
		"arrays":       "[" + strings.Repeat("[],", n) + "[]]",
		"deep arrays":  "[" + strings.Repeat(strings.Repeat("[", 50)+strings.Repeat("]", 50)+",", n/50) + "[]]",
		"objects":      "[" + strings.Repeat("{},", n) + "{}]",
		"small ones":   "[" + strings.Repeat(`{"name":"abc","value":12.5},`, n/4) + "{}]",
		"large object": "{" + numbered(`"member %d":1,`, n) + `"":0}`,
		"long names":   "{" + numbered(`"a name of more than thirty-two bytes %d":1,`, n) + `"":0}`,
		"nulls":        "[" + strings.Repeat("null,", n) + "1]",
		"numbers":      "[" + strings.Repeat("1,", n) + "1]",
		"large ints":   "[" + strings.Repeat("123456,", n) + "1]",
		"fractions":    "[" + strings.Repeat("1.5,", n) + "1]",
		"strings":      "[" + numbered(`"%d",`, n) + "1]",
		"long strings": "[" + numbered(`"a text of more than thirty-two bytes %d",`, n) + "1]",
		"one string":   `"` + strings.Repeat("x", n) + `"`,
		"escapes":      `["` + strings.Repeat(`\n`, n) + `"]`,
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			b, decoded := []byte(text), false
			for factor := 1; factor <= 256; factor *= 2 {
				limit := factor * len(b) / 2
				d := Decoder{Limit: limit}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := d.Decode(b)
				runtime.ReadMemStats(&after)
				if got := int(after.TotalAlloc - before.TotalAlloc); got > limit+limit/2+64<<10 {
					t.Errorf("limit %d: %d bytes (%v)", limit, got, err)
				}
				switch {
				case err == nil:
					decoded = true
				case decoded || !errors.Is(err, ErrTooLarge):
					t.Errorf("limit %d: %v", limit, err)
				}
				// The Decoder can be used further.
				if v, err := d.Decode([]byte(`[1,"a"]`)); err != nil || len(v.([]any)) != 2 {
					t.Errorf("limit %d: afterwards %v, %v", limit, v, err)
				}
			}
			if !decoded {
				t.Error("never decoded")
			}
		})
	}
}
