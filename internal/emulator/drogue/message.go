package drogue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/hark-cli/hark/proto/drogue/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// refreshKey is the one variant of a client message.
const refreshKey = "RefreshAccessToken"

// parseRefresh parses a client message. Its errors are those of the server, where
// serde_json parses an enum with one variant that contains a string; they become the
// reason of a close frame.
func parseRefresh(b []byte) (token, fault string) {
	p := &serde{b: b}
	token, fault = p.refresh()
	if fault == "" {
		if p.space(); p.i < len(b) {
			fault = p.peeked("trailing characters")
		}
	}
	return token, fault
}

// A serde parses JSON with the errors of serde_json.
type serde struct {
	b []byte
	i int
}

func (p *serde) refresh() (token, fault string) {
	switch p.space() {
	case 0:
		return "", p.peeked("EOF while parsing a value")
	case '"':
		name, fault := p.text()
		if fault == "" {
			fault = p.variant(name)
		}
		if fault == "" {
			fault = "invalid type: unit variant, expected newtype variant"
		}
		return "", fault
	case '{':
		p.i++
	default:
		return "", p.peeked("expected value")
	}
	if p.space() != '"' {
		return "", p.mismatch("variant identifier")
	}
	name, fault := p.text()
	if fault == "" {
		fault = p.variant(name)
	}
	if fault != "" {
		return "", fault
	}
	switch p.space() {
	case ':':
		p.i++
	case 0:
		return "", p.peeked("EOF while parsing an object")
	default:
		return "", p.peeked("expected `:`")
	}
	if p.space() != '"' {
		return "", p.mismatch("a string")
	}
	if token, fault = p.text(); fault != "" {
		return "", fault
	}
	switch p.space() {
	case '}':
		p.i++
		return token, ""
	case 0:
		return "", p.consumed("EOF while parsing an object")
	}
	return "", p.consumed("expected value")
}

func (p *serde) variant(name string) (fault string) {
	if name == refreshKey {
		return ""
	}
	return p.consumed(fmt.Sprintf("unknown variant `%s`, expected `%s`", name, refreshKey))
}

// space skips white space and returns the byte after it, 0 at the end.
func (p *serde) space() byte {
	for ; p.i < len(p.b); p.i++ {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			continue
		}
		return p.b[p.i]
	}
	return 0
}

// text parses a string, at its quotation mark.
func (p *serde) text() (s, fault string) {
	start := p.i
	for p.i++; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			if err := json.Unmarshal(p.b[start:p.i], &s); err != nil {
				return "", p.consumed("invalid escape")
			}
			return s, ""
		case c == '\\':
			if p.i++; p.i < len(p.b) && bytes.IndexByte([]byte(`"\/bfnrtu`), p.b[p.i]) < 0 {
				p.i++
				return "", p.consumed("invalid escape")
			}
		case c < 0x20:
			p.i++
			return "", p.consumed("control character (\\u0000-\\u001F) found while parsing a string")
		}
	}
	p.i = len(p.b)
	return "", p.consumed("EOF while parsing a string")
}

// mismatch returns the error for a value that is not a string.
func (p *serde) mismatch(expected string) string {
	literal := func(word, what string) string {
		for _, c := range []byte(word) {
			if p.i == len(p.b) {
				return p.consumed("EOF while parsing a value")
			}
			if p.i++; p.b[p.i-1] != c {
				return p.consumed("expected ident")
			}
		}
		return p.consumed(fmt.Sprintf("invalid type: %s, expected %s", what, expected))
	}
	switch c := p.space(); {
	case c == 0:
		return p.peeked("EOF while parsing a value")
	case c == 'n':
		return literal("null", "null")
	case c == 't':
		return literal("true", "boolean `true`")
	case c == 'f':
		return literal("false", "boolean `false`")
	case c == '[':
		return p.consumed("invalid type: sequence, expected " + expected)
	case c == '{':
		return p.consumed("invalid type: map, expected " + expected)
	case c == '-' || c >= '0' && c <= '9':
		return p.number(expected)
	}
	return p.peeked("expected value")
}

func (p *serde) number(expected string) string {
	start := p.i
	for p.i < len(p.b) && bytes.IndexByte([]byte("+-.0123456789Ee"), p.b[p.i]) >= 0 {
		p.i++
	}
	text := string(p.b[start:p.i])
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !json.Valid([]byte(text)) || math.IsInf(f, 0) {
		return p.consumed("invalid number")
	}
	kind := "integer"
	if bytes.ContainsAny([]byte(text), ".eE") {
		kind = "floating point"
	}
	return p.consumed(fmt.Sprintf("invalid type: %s `%s`, expected %s", kind, text, expected))
}

// consumed adds the position up to which the input has been read.
func (p *serde) consumed(text string) string { return p.at(text, p.i) }

// peeked adds the position of the next byte.
func (p *serde) peeked(text string) string { return p.at(text, min(p.i+1, len(p.b))) }

func (p *serde) at(text string, i int) string {
	before := p.b[:i]
	return fmt.Sprintf("%s at line %d column %d", text,
		1+bytes.Count(before, []byte("\n")), len(before)-1-bytes.LastIndexByte(before, '\n'))
}

// refreshFailed returns the close frame for a refused refresh.
func refreshFailed(text string) (code int, reason string) {
	if text == "" {
		return frame.StatusPolicy, wire.RefreshFailed
	}
	return frame.StatusInternal, wire.RefreshFailed + ": " + text
}
