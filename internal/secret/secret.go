// Package secret removes credentials from output. A Value prints as stars however it is
// formatted, and a Redactor removes known values from any text, in all usual encodings.
// It imports only the standard library.
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

// Mask replaces a credential.
const Mask = "***"

// A Value is a credential, such as a token, a session id or a client id. Only Reveal
// returns its text.
type Value string

// Reveal returns the credential itself. It must only be used to send it.
func (v Value) Reveal() string { return string(v) }

// String returns Mask, or "" for the empty value.
func (v Value) String() string {
	if v == "" {
		return ""
	}
	return Mask
}

// GoString returns Mask for %#v.
func (v Value) GoString() string { return `secret.Value("` + v.String() + `")` }

// Format prints Mask for every other verb, including %x and %q.
func (v Value) Format(s fmt.State, verb rune) { fmt.Fprint(s, v.String()) }

// MarshalText returns Mask for JSON and other encodings.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// LogValue returns Mask for structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// shortest is the length below which a value is not replaced: replacing each "1" of a
// text would remove more than the credential.
const shortest = 4

// A Redactor replaces the credentials added to it. The zero value has none. It may be
// used concurrently.
type Redactor struct {
	mu    sync.RWMutex
	forms [][]byte // longest first, so that no form is replaced in part
}

// Add adds a credential in all encodings: plain, percent-encoded for a user, a path and
// a query, as a JSON and as a Go string, in hexadecimal, and in base64 of both
// alphabets, also within the base64 of a longer text.
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

// AddPair adds a password, and the pair as encoded for Basic authentication (RFC 7617).
func (r *Redactor) AddPair(user, password string) { r.Add(password, user+":"+password) }

func forms(v string) []string {
	quoted := fmt.Sprintf("%q", v)
	inJSON, _ := json.Marshal(v) // a string can always be encoded
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
			// The letters at both ends also depend on the adjacent text.
			text := alphabet.WithPadding(base64.NoPadding).EncodeToString([]byte("..."[:before] + v))
			if core := text[(before*8+5)/6 : (before+len(v))*8/6]; len(core) >= shortestCore {
				out = append(out, core)
			}
		}
	}
	return out
}

// shortestCore is the length below which the inner part of a base64 text is not
// replaced.
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

// gcThreshold is the amount of garbage, in bytes, that triggers a collection.
const gcThreshold = 16 << 20

// maskAll replaces each f in b, the first of which is at i, by the mask. It does so in
// place, because b may be many mebibytes: no f is shorter than the mask.
func maskAll(b, f []byte, i int) []byte {
	out := b[:0]
	for ; i >= 0; i = bytes.Index(b, f) {
		out = append(append(out, b[:i]...), Mask...)
		b = b[i+len(f):]
	}
	return append(out, b...)
}

// Bytes is String for bytes; it returns b itself if there is nothing to replace.
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
				// The last copy of a large message may not have been collected.
				debug.FreeOSMemory()
			}
			b, owned = bytes.Clone(b), true
		}
		b = maskAll(b, f, i)
	}
	return b
}
