package eventjson

import (
	"bytes"
	"encoding/json"
)

// String returns the text of the JSON string in b, without white space around it; ok is
// false if b is something else.
func String(b []byte) (text string, ok bool) {
	if len(b) < 2 || b[0] != '"' || scanString(b, 1) != len(b) {
		return "", false
	}
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1]), true
	}
	return text, json.Unmarshal(b, &text) == nil
}

// StringLen returns the length of the JSON string at the beginning of b, quotes
// included, or 0 when there is none.
func StringLen(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	return max(scanString(b, 1), 0)
}
