package prompt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/pattern"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
)

// A transcript contains the first messages in both directions, for /save.
type transcript struct {
	mu      sync.Mutex
	entries []said
	left    int // entries that did not fit
}

// A said is one message.
type said struct {
	dir    proto.Direction
	binary bool
	data   []byte
}

// transcriptLimit is the maximum number of messages of a transcript, and SaidLimit the
// maximum size of one, in bytes.
const (
	transcriptLimit = 500
	SaidLimit       = 64 << 10
)

// all returns the messages, and how many did not fit.
func (l *transcript) all() (entries []said, left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries), l.left
}

func (l *transcript) add(dir proto.Direction, binary bool, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) >= transcriptLimit || len(data) > SaidLimit {
		l.left++
		return
	}
	l.entries = append(l.entries, said{dir, binary, slices.Clone(data)})
}

// expectation returns a jq expression that matches data and similar messages.
func expectation(data []byte, redact func(string) string) string {
	var dec eventjson.Decoder
	v, err := dec.Decode(data)
	if err != nil {
		text := string(ToUTF8(data))
		if credential.Contains(text) {
			return `type == "string"`
		}
		return ". == " + quoted(redact(text))
	}
	var other eventjson.Decoder // because the first would reuse the memory of v
	harmless, err := other.Decode([]byte(credential.Mask(string(data), secret.Mask)))
	if err != nil {
		harmless = secret.Mask // compare nothing but types
	}
	var parts []string
	generalize("", "", v, harmless, redact, &parts)
	if len(parts) == 0 {
		return "true"
	}
	return strings.Join(parts, " and ")
}

// mostParts is the maximum number of members of a message that are compared.
const mostParts = 20

// volatileName and volatileText match members and texts that differ in the next
// message: ids, times, hashes, signatures.
var (
	volatileName = pattern.Lazy(`(?i)(^|[_.-])(id|uuid|guid|ts|time|date|timestamp|seq|sequence|offset|nonce|hash|etag|sig|signature|token|session|version|counter|count|cursor|expires?|uptime|port)$|(Id|ID|Uuid|Time|Date|At|Ts|Hash|Token)$`)
	volatileText = pattern.Lazy(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-|^\d{4}-\d\d-\d\d([T ]|$)|^[0-9a-f]{16,}$|^\d{4,}$|^[A-Za-z0-9+/_-]{24,}=*$|^[A-Za-z0-9+/_-]{10,}={1,2}$`)
)

// stablePrefix returns the start of a URL or path up to a part that looks like an id.
func stablePrefix(text string) (prefix string, ok bool) {
	if !strings.Contains(text, "://") && !strings.HasPrefix(text, "/") {
		return "", false
	}
	at := 0
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		at += strings.Index(text[at:], part)
		if volatilePart().MatchString(part) {
			return text[:at], at > 0
		}
		at += len(part)
	}
	return "", false
}

// volatilePart matches a part of a path that differs in the next message: it has three
// consecutive digits, or is long and has digits.
var volatilePart = pattern.Lazy(`^[^:.]*\d{3}[^:.]*$|^[^:.]*\d[^:.]*.{12}$`)

// generalize appends the conditions for the value at path, with the member name.
// harmless is the value without credentials: where it differs from v in more than a
// member, only the type is compared.
func generalize(path, name string, v, harmless any, redact func(string) string, parts *[]string) {
	if len(*parts) >= mostParts {
		return
	}
	at := path
	if at == "" {
		at = "."
	}
	add := func(format string, args ...any) { *parts = append(*parts, fmt.Sprintf(format, args...)) }
	switch v := v.(type) {
	case map[string]any:
		known, ok := harmless.(map[string]any)
		if len(v) == 0 || !ok {
			add(`(%s | type) == "object"`, at)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			other, found := known[key]
			if !found || redact(key) != key {
				continue
			}
			member := path + "." + key
			if !plainKey().MatchString(key) {
				member = strings.TrimSuffix(at, ".") + "[" + quoted(key) + "]"
				if path == "" {
					member = ".[" + quoted(key) + "]"
				}
			}
			generalize(member, key, v[key], other, redact, parts)
		}
	case []any:
		add(`(%s | type) == "array"`, at)
		known, _ := harmless.([]any)
		for i, value := range v[:min(len(v), len(known), 3)] {
			member := path + "[" + strconv.Itoa(i) + "]"
			if path == "" {
				member = ".[" + strconv.Itoa(i) + "]"
			}
			generalize(member, name, value, known[i], redact, parts)
		}
	case string:
		if harmless != v || volatileName().MatchString(name) || credential.Member(name) || volatileText().MatchString(v) || redact(v) != v || !utf8.ValidString(v) {
			add(`(%s | type) == "string"`, at)
			return
		}
		if prefix, ok := stablePrefix(v); ok {
			add("(%s | tostring | startswith(%s))", at, quoted(prefix))
			return
		}
		add("%s == %s", at, quoted(v))
	case nil, bool:
		add("%s == %v", at, jsonOf(v))
	default: // numbers
		text := jsonOf(v)
		if jsonOf(harmless) != text || volatileName().MatchString(name) || credential.Member(name) || redact(text) != text || len(text) > 6 || strings.ContainsAny(text, ".eE") {
			add(`(%s | type) == "number"`, at)
			return
		}
		add("%s == %s", at, text)
	}
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}
