// Package secret keeps credentials out of everything that people and files get
// to see. A Value prints as stars however it is formatted, and a Redactor takes
// the values that it knows out of any text, whatever form they travel in. It is
// a leaf: standard library only.
package secret

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Mask stands in the place of a credential.
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
// it is, percent-encoded for a path and for a query, as JSON string, and in
// base64 of both alphabets.
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

func forms(v string) []string {
	quoted := fmt.Sprintf("%q", v)
	return []string{
		v,
		url.PathEscape(v),
		url.QueryEscape(v),
		quoted[1 : len(quoted)-1],
		base64.StdEncoding.EncodeToString([]byte(v)),
		base64.RawStdEncoding.EncodeToString([]byte(v)),
		base64.URLEncoding.EncodeToString([]byte(v)),
		url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(v))),
	}
}

// String returns s with Mask in place of every known credential.
func (r *Redactor) String(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, f := range r.forms {
		s = strings.ReplaceAll(s, string(f), Mask)
	}
	return s
}

// Bytes is String for bytes; b itself is returned when there is nothing to hide.
func (r *Redactor) Bytes(b []byte) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, f := range r.forms {
		if bytes.Contains(b, f) {
			b = bytes.ReplaceAll(b, f, []byte(Mask))
		}
	}
	return b
}
