package prompt

import (
	"bytes"
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

	recent []recent // the last messages, for /last
	kept   int      // bytes of them
}

// A said is one message, or a command that belongs to the dialogue.
type said struct {
	dir    proto.Direction
	binary bool
	data   []byte
	line   string // of the command; "" for a message
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
	l.look(dir, binary, data)
	if len(l.entries) >= transcriptLimit || len(data) > SaidLimit {
		l.left++
		return
	}
	l.entries = append(l.entries, said{dir: dir, binary: binary, data: slices.Clone(data)})
}

// line adds a command.
func (l *transcript) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) >= transcriptLimit {
		l.left++
		return
	}
	l.entries = append(l.entries, said{line: text})
}

// answers returns the expressions for the messages that answer one that was sent, by
// their place in the transcript. A message that has the id of one that was sent answers
// that one; otherwise the first message that follows does, unless such messages arrive
// without being asked for. What a /wait of the user took is not expected twice; takes
// reports whether one takes a message.
func answers(entries []said, redact func(string) string, takes func(wait string, e said) bool) map[int]string {
	expected := make(map[int]string)
	unasked := make(map[string]bool) // expressions of messages that answer nothing
	taken, answered := takenEntries(entries, takes)
	var open []int // messages that were sent and have no answer yet
	for i, e := range entries {
		switch {
		case e.line != "" || taken[i] || e.binary && e.dir == proto.In:
			continue
		case e.dir == proto.Out:
			if !answered[i] {
				open = append(open, i)
			}
			continue
		}
		expr := expectation(e.data, redact)
		if at := slices.IndexFunc(open, func(sent int) bool { return commonID(entries[sent].data, e.data) != "" }); at >= 0 {
			expected[i] = commonID(entries[open[at]].data, e.data) + " and " + expr
			open = slices.Delete(open, at, at+1)
			continue
		}
		at := slices.IndexFunc(open, func(sent int) bool { return !answeredByID(entries[sent].data, entries[i+1:]) })
		if at < 0 || unasked[expr] {
			unasked[expr] = true
			continue
		}
		expected[i] = expr
		open = slices.Delete(open, at, at+1)
	}
	return expected
}

// takenEntries returns the messages that a /wait of the user took, and those that were
// sent and are answered by them: the one with the same id, or else the last one before.
func takenEntries(entries []said, takes func(wait string, e said) bool) (taken, answered map[int]bool) {
	taken, answered = make(map[int]bool), make(map[int]bool)
	for _, e := range entries {
		wait, ok := strings.CutPrefix(e.line, "/wait ")
		if !ok {
			continue
		}
		at := 0
		for at < len(entries) && (entries[at].line != "" || entries[at].dir != proto.In || taken[at] || !takes(wait, entries[at])) {
			at++
		}
		if at == len(entries) {
			continue
		}
		taken[at] = true
		last, same := -1, -1
		for i, sent := range entries[:at] {
			if sent.line != "" || sent.dir != proto.Out || answered[i] {
				continue
			}
			if commonID(sent.data, entries[at].data) != "" {
				same = i
			} else if !answeredByID(sent.data, entries[i+1:]) {
				last = i
			}
		}
		if same >= 0 {
			last = same
		}
		answered[last] = true
	}
	return taken, answered
}

// idName matches the members whose value an answer repeats.
var idName = pattern.Lazy(`(?i)^(id|ref|nonce|tag|seq|reqid|(req|request|msg|message|correlation|transaction|call)[_-]?id)$`)

// ids returns the ids of a message, as jq compares them.
func ids(data []byte) map[string]string {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&members) != nil {
		return nil
	}
	found := make(map[string]string)
	for name, v := range members {
		switch v := v.(type) {
		case string:
			if idName().MatchString(name) && v != "" && !credential.Contains(v) {
				found[name] = quoted(v)
			}
		case json.Number:
			if idName().MatchString(name) {
				found[name] = v.String()
			}
		}
	}
	return found
}

// commonID returns a condition for an id that two messages have in common, or "".
func commonID(sent, got []byte) string {
	of := ids(got)
	mine := ids(sent)
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		if of[name] == mine[name] {
			return "." + name + " == " + mine[name]
		}
	}
	return ""
}

// answeredByID reports whether one of the entries has the id of a message.
func answeredByID(sent []byte, entries []said) bool {
	return slices.ContainsFunc(entries, func(e said) bool {
		return e.line == "" && e.dir == proto.In && !e.binary && commonID(sent, e.data) != ""
	})
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
