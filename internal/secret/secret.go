// Package secret keeps credentials out of everything that people and files get
// to see. A Value prints as stars however it is formatted, and a Redactor takes
// the values that it knows out of any text, whatever form they travel in. It is
// a leaf: standard library only.
package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Mask stands instead of a credential.
const Mask = "***"

// A Value is a credential: a token, a session id, a client id. Only Reveal
// gives it away.
type Value string

// Reveal returns the credential itself, to be sent and for nothing else.
func (v Value) Reveal() string { return string(v) }

// String returns Mask, or "" for the empty value.
func (v Value) String() string {
	if v == "" {
		return ""
	}
	return Mask
}

// GoString keeps the value out of %#v.
func (v Value) GoString() string { return `secret.Value("` + v.String() + `")` }

// Format keeps the value out of every other verb, %x and %q included.
func (v Value) Format(s fmt.State, verb rune) { fmt.Fprint(s, v.String()) }

// MarshalText keeps the value out of JSON and other encodings.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// LogValue keeps the value out of structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// shortest is the length below which a value is not looked for: replacing each
// "1" of a text would hide more than the credential.
const shortest = 4

// A Redactor replaces the credentials that it has been told of. The zero value
// knows none. It may be used by several goroutines.
type Redactor struct {
	mu    sync.RWMutex
	forms [][]byte // longest first, so that a form is not broken by a part of it
}

// Add makes the redactor know a credential in the forms in which it travels: as
// it is, percent-encoded for a user, a path and a query, as JSON and as Go string,
// in hexadecimal, and in base64 of both alphabets, also inside the base64 of a
// longer text.
func (r *Redactor) Add(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		if len(v) < shortest {
			continue
		}
		for _, f := range forms(v) {
			if !slices.ContainsFunc(r.forms, func(b []byte) bool { return string(b) == f }) {
				r.forms = append(r.forms, []byte(f))
			}
		}
	}
	slices.SortStableFunc(r.forms, func(a, b []byte) int { return len(b) - len(a) })
}

// AddPair makes the redactor know a password, and the pair as Basic
// authentication sends it (RFC 7617).
func (r *Redactor) AddPair(user, password string) { r.Add(password, user+":"+password) }

func forms(v string) []string {
	quoted := fmt.Sprintf("%q", v)
	inJSON, _ := json.Marshal(v) // a string has an encoding
	out := []string{
		v,
		quoted[1 : len(quoted)-1],
		string(inJSON[1 : len(inJSON)-1]),
		hex.EncodeToString([]byte(v)),
		strings.ToUpper(hex.EncodeToString([]byte(v))),
	}
	std := base64.StdEncoding.EncodeToString([]byte(v))
	for _, encoded := range []string{
		url.PathEscape(v), url.QueryEscape(v), url.UserPassword("", v).String()[1:],
		(&url.URL{Path: "/" + v}).EscapedPath()[1:], url.QueryEscape(std),
	} {
		out = append(out, encoded, lowerEscapes(encoded))
	}
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		out = append(out, alphabet.EncodeToString([]byte(v)), alphabet.WithPadding(base64.NoPadding).EncodeToString([]byte(v)))
		for before := range 3 {
			// The letters at both ends also depend on what stands alongside.
			text := alphabet.WithPadding(base64.NoPadding).EncodeToString([]byte("..."[:before] + v))
			if core := text[(before*8+5)/6 : (before+len(v))*8/6]; len(core) >= shortestCore {
				out = append(out, core)
			}
		}
	}
	return out
}

// shortestCore is the length below which the inner part of a base64 text is not
// looked for.
const shortestCore = 8

var escapes = regexp.MustCompile("%[0-9A-F]{2}")

// lowerEscapes writes the digits of percent-encoding in lower case.
func lowerEscapes(s string) string { return escapes.ReplaceAllStringFunc(s, strings.ToLower) }

// String returns s with Mask instead of every known credential.
func (r *Redactor) String(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, f := range r.forms {
		s = strings.ReplaceAll(s, string(f), Mask)
	}
	return s
}

// gcThreshold is how much garbage is worth a collection at once, in bytes.
const gcThreshold = 16 << 20

// maskAll puts the mask instead of each f in b, the first of which is at i. It
// works in b itself, which may be a copy of many mebibytes: no f is shorter than the
// mask.
func maskAll(b, f []byte, i int) []byte {
	out := b[:0]
	for ; i >= 0; i = bytes.Index(b, f) {
		out = append(append(out, b[:i]...), Mask...)
		b = b[i+len(f):]
	}
	return append(out, b...)
}

// Bytes is String for bytes; b itself is returned when there is nothing to hide.
func (r *Redactor) Bytes(b []byte) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	owned := false
	for _, f := range r.forms {
		i := bytes.Index(b, f)
		if i < 0 {
			continue
		}
		if !owned {
			if len(b) >= gcThreshold {
				// The last copy, of a message like this, may not have been collected.
				debug.FreeOSMemory()
			}
			b, owned = bytes.Clone(b), true
		}
		b = maskAll(b, f, i)
	}
	return b
}
