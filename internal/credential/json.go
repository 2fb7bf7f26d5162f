package credential

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/pattern"
)

// jsonBegin returns where, from pos on, an array or an object seems to begin, or -1.
func jsonBegin(s string, pos int) int {
	at := jsonStart().FindStringIndex(s[pos:])
	if at == nil {
		return -1
	}
	return pos + at[0]
}

// extent returns the end of the JSON value that begins at i; the end of s if it is
// incomplete.
func extent(s string, i int) int {
	switch s[i] {
	case '"':
		for i++; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == '"' {
				return i + 1
			}
		}
		return len(s)
	case '{', '[':
		for depth := 0; i < len(s); i++ {
			switch s[i] {
			case '"':
				i = extent(s, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return len(s)
	}
	if n := strings.IndexAny(s[i:], " \t\r\n,{}[]\""); n >= 0 {
		return i + n
	}
	return len(s)
}

// json returns an array or object, complete or not, without its credentials.
func (f *finder) json(s string, depth int) string {
	var out strings.Builder
	login := logsIn(s)
	all := login && s[0] == '[' // the strings after the first are arguments
	regular := true
	strung := 0 // the strings so far
	for i := 0; i < len(s); {
		if s[i] != '"' {
			end := i + 1
			if strings.IndexByte(" \t\r\n,:{}[]", s[i]) < 0 {
				end = max(extent(s, i), end)
				regular = regular && scalar().MatchString(s[i:end])
			}
			out.WriteString(s[i:end])
			i = end
			continue
		}
		end := extent(s, i)
		name, isName := unquote(s[i:end]), false
		value := end
		if m := colon().FindStringIndex(s[end:]); m != nil {
			isName, value = true, end+m[1]
		}
		strung++
		switch {
		case !isName && all && strung > 1:
			out.WriteString(f.hide(s[i:end]))
		case !isName:
			out.WriteString(f.inner(s[i:end], name, depth))
		case value == len(s):
			out.WriteString(s[i:value])
		case Member(name):
			end = max(extent(s, value), value+1)
			out.WriteString(s[i:value])
			out.WriteString(f.hide(s[value:end]))
			value = end
		case login && slices.Contains(arguments, strings.ToLower(name)):
			end = max(extent(s, value), value+1)
			out.WriteString(s[i:value])
			out.WriteString(f.hideStrings(s[value:end]))
			value = end
		default:
			out.WriteString(s[i:value])
		}
		i = max(value, end)
	}
	if regular {
		return out.String()
	}
	// It is not JSON: check the lines, too.
	text := out.String()
	out.Reset()
	pos := 0
	for _, sp := range spansOf(text) {
		if from := max(sp.from, pos); from < sp.to && f.span(text, sp) {
			out.WriteString(text[pos:from])
			out.WriteString(f.mask)
			pos = sp.to
		}
	}
	return out.String() + text[pos:]
}

// hide returns the replacement of a value that is a credential, and records its
// content.
func (f *finder) hide(value string) string {
	if value[0] == '{' || value[0] == '[' {
		if !f.leaves(value) {
			return value
		}
		return `"` + f.mask + `"`
	}
	if value[0] != '"' {
		if !f.add(value) {
			return value
		}
		return `"` + f.mask + `"`
	}
	text := unquote(value)
	if raw := strings.TrimSuffix(value[1:], `"`); raw != text {
		f.add(raw)
	}
	if !f.add(text) {
		return value
	}
	return `"` + f.mask + `"`
}

// leaves records the strings and numbers in an array or object, and reports whether
// there are any.
func (f *finder) leaves(value string) bool {
	found := false
	for i := 0; i < len(value); {
		end := i + 1
		if strings.IndexByte(" \t\r\n,:{}[]", value[i]) < 0 {
			end = max(extent(value, i), end)
			if value[i] != '"' || !colon().MatchString(value[end:]) {
				found = f.hide(value[i:end]) != value[i:end] || found
			}
		}
		i = end
	}
	return found
}

// hideStrings returns a value with its strings replaced by mask, except those of
// certain members.
func (f *finder) hideStrings(value string) string {
	var out strings.Builder
	for i := 0; i < len(value); {
		end := i + 1
		if value[i] == '"' {
			end = extent(value, i)
			if !colon().MatchString(value[end:]) {
				out.WriteString(f.hide(value[i:end]))
				i = end
				continue
			}
		}
		out.WriteString(value[i:end])
		i = end
	}
	return out.String()
}

// inner returns a JSON string with the given text, without the credentials in it.
func (f *finder) inner(quoted, text string, depth int) string {
	masked := f.text(text, depth+1)
	if masked == text {
		return quoted
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(masked) != nil {
		return `"` + f.mask + `"`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// unquote returns the text of a JSON string, as far as it is valid.
func unquote(quoted string) string {
	var text string
	if json.Unmarshal([]byte(quoted), &text) == nil {
		return text
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\n`, "\n", `\/`, `/`).Replace(strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`))
}

// logsIn reports whether a message is a login request, by its method or its first
// element; its arguments are credentials.
func logsIn(s string) bool {
	for _, m := range method().FindAllStringSubmatch(s, -1) {
		if hasWord(m[1]+" "+m[2], "auth", "authn", "authorize", "authorise", "authorization", "authenticate", "authentication", "login",
			"logon", "signin", "identify") {
			return true
		}
	}
	return false
}

// arguments are the members with the arguments of a request.
var arguments = []string{"params", "param", "parameters", "args", "arg", "arguments", "data", "d", "payload", "body", "value", "values", "a"}

var (
	jsonStart = pattern.Lazy(`\{\s*["}]|\[\s*(?:["{\[\]\d-]|true|false|null)`)
	colon     = pattern.Lazy(`^\s*:\s*`)
	scalar    = pattern.Lazy(`^(?:-?\d[\d.eE+-]*|true|false|null)$`)
	// method matches the member with the method of a request, and the first element of
	// an array.
	method = pattern.Lazy(`"(?i:method|op|operation|action|cmd|command|event|type|request|req|msg|name|m|e)"\s*:\s*"([^"]*)"|^\[\s*"([^"]*)"\s*,`)
)
