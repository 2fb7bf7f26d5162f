package replay

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/secret"
)

// same reports whether a client has sent what is in the recording: the same JSON value,
// whatever its white space and order, or else the same bytes. What was withheld from
// the recording matches anything.
func same(recording, got []byte) bool {
	if bytes.Equal(recording, got) || masked(string(recording), string(got)) {
		return true
	}
	var a, b any
	return decode(recording, &a) && decode(got, &b) && reflect.DeepEqual(a, b)
}

func decode(b []byte, v *any) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v) == nil && !d.More()
}

// masked reports whether got equals recording with any text instead of each mask.
func masked(recording, got string) bool {
	parts := strings.Split(recording, secret.Mask)
	if len(parts) == 1 || !strings.HasPrefix(got, parts[0]) {
		return false
	}
	got = got[len(parts[0]):]
	last := len(parts) - 1
	for _, p := range parts[1:last] {
		i := strings.Index(got, p)
		if i < 0 {
			return false
		}
		got = got[i+len(p):]
	}
	return strings.HasSuffix(got, parts[last])
}

// excerpt quotes the start of a message.
func excerpt(b []byte) string {
	const limit = 80
	if !utf8.Valid(b) {
		return "binary data"
	}
	s := string(b)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	if s == "" {
		return "an empty message"
	}
	return s
}
