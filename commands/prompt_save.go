package commands

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
)

// A transcript is what was said on both sides, for /save: the beginning of it.
type transcript struct {
	mu      sync.Mutex
	entries []said
	left    int // entries that had no room
}

// A said is one message.
type said struct {
	dir    proto.Direction
	binary bool
	data   []byte
}

// transcriptLimit is how many messages a transcript holds, and saidLimit how large
// one may be, in bytes.
const (
	transcriptLimit = 500
	saidLimit       = 64 << 10
)

func (l *transcript) add(dir proto.Direction, binary bool, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) >= transcriptLimit || len(data) > saidLimit {
		l.left++
		return
	}
	l.entries = append(l.entries, said{dir, binary, slices.Clone(data)})
}

// cmdSave writes the transcript as a script that does the same again.
func (t *talk) cmdSave(rest string) error {
	if err := t.filesAllowed("/save"); err != nil {
		return err
	}
	t.log.mu.Lock()
	entries, left := slices.Clone(t.log.entries), t.log.left
	t.log.mu.Unlock()
	if len(entries) == 0 {
		return cmdline.Usagef("/save: nothing was sent or received yet")
	}
	text, notes := t.smokeTest(entries)
	f, err := os.OpenFile(rest, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return &cmdline.UsageError{Message: err.Error()}
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if left > 0 {
		notes = append(notes, "not in it, because they came later or are larger: "+messageCount(left))
	}
	t.answer(strings.Join(append([]string{"saved; run it with: sh " + shellWord(rest)}, notes...), "\n"))
	return nil
}

// smokeTest is the script for a transcript, and what to know about it.
func (t *talk) smokeTest(entries []said) (text string, notes []string) {
	var args []string
	sends := false // only connect has --send
	if t.cmdline != nil {
		o, _ := t.cmdline.Command.Lookup("send")
		sends = o != nil
	}
	expected := make(map[string]bool)
	binary, unsent := 0, 0
	for _, e := range entries {
		switch {
		case e.binary:
			binary++
		case e.dir == proto.Out && sends:
			text := credential.Mask(t.say.String(string(e.data)), secret.Mask)
			args = append(args, "--send "+shellWord(text))
			if text != string(e.data) {
				notes = append(notes, "a credential in a message was replaced by ***")
			}
		case e.dir == proto.Out:
			unsent++
		default:
			if expr := expectation(e.data, t.say.String); !expected[expr] {
				expected[expr] = true
				args = append(args, "--expect "+shellWord(expr))
			}
		}
	}
	if binary > 0 {
		notes = append(notes, "not in it, because they are binary: "+messageCount(binary))
	}
	if unsent > 0 {
		notes = append(notes, "not in it, because only connect has --send: "+messageCount(unsent))
	}
	line := append(t.rerun(), args...)
	line = append(line, "--max-time 30s")
	return "#!/bin/sh\n# A smoke test, saved at the prompt of hark: it sends what was sent and expects what\n" +
		"# came. Ids, times and other numbers that change are not compared.\nexec " +
		strings.Join(line, " \\\n  ") + "\n", notes
}

// expectation is a jq expression that is true for data and for messages like it.
func expectation(data []byte, redact func(string) string) string {
	var dec jsontext.Decoder
	v, err := dec.Decode(data)
	if err != nil {
		text := string(toUTF8(data))
		if credential.Holds(text) {
			return `type == "string"`
		}
		return ". == " + quoted(redact(text))
	}
	var other jsontext.Decoder // the first would use the memory of v again
	harmless, err := other.Decode([]byte(credential.Mask(string(data), secret.Mask)))
	if err != nil {
		harmless = secret.Mask // compare nothing but types
	}
	var parts []string
	generalise("", "", v, harmless, redact, &parts)
	if len(parts) == 0 {
		return "true"
	}
	return strings.Join(parts, " and ")
}

// mostParts is how many members of a message are compared.
const mostParts = 20

// volatileName and volatileText are members and texts that are other ones in the
// next message: ids, times, hashes, signatures.
var (
	volatileName = pattern(`(?i)(^|[_.-])(id|uuid|guid|ts|time|date|timestamp|seq|sequence|offset|nonce|hash|etag|sig|signature|token|session|version|counter|count|cursor|expires?|uptime|port)$|(Id|ID|Uuid|Time|Date|At|Ts|Hash|Token)$`)
	volatileText = pattern(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-|^\d{4}-\d\d-\d\d([T ]|$)|^[0-9a-f]{16,}$|^\d{4,}$|^[A-Za-z0-9+/_-]{24,}=*$|^[A-Za-z0-9+/_-]{10,}={1,2}$`)
)

// stablePrefix is the beginning of a URL or path up to a part that looks like an id.
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

// volatilePart is a part of a path that is another one in the next message: it has
// three digits in a row, or is long and has some at all.
var volatilePart = pattern(`^[^:.]*\d{3}[^:.]*$|^[^:.]*\d[^:.]*.{12}$`)

// generalise appends what is to be true of the value at path, whose member is
// called name. harmless is the value without credentials: where it differs from v in
// more than a member, only the type is compared.
func generalise(path, name string, v, harmless any, redact func(string) string, parts *[]string) {
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
			generalise(member, key, v[key], other, redact, parts)
		}
	case []any:
		add(`(%s | type) == "array"`, at)
		known, _ := harmless.([]any)
		for i, value := range v[:min(len(v), len(known), 3)] {
			member := path + "[" + strconv.Itoa(i) + "]"
			if path == "" {
				member = ".[" + strconv.Itoa(i) + "]"
			}
			generalise(member, name, value, known[i], redact, parts)
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

// shellWord quotes a word for sh.
func shellWord(s string) string {
	if s != "" && regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`).MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// promptOnly are flags that a script has no use for; sendFlags are in the
// transcript already.
var leftOut = pattern(`^(interactive|allow-files|linger|hold|show-ping-pong|send|execute|slash|max-time|pretty|time|color|no-color|protocol|verbose|quiet|connect)$`)

// rerun is the command line that led here, for another run: without the prompt, and
// without credentials.
func (t *talk) rerun() []string {
	words := []string{"hark"}
	if t.cmdline == nil {
		return words
	}
	var first strings.Builder
	first.WriteString(strings.Join(append(words, t.cmdline.Named()...), " "))
	args, _, _ := t.cmdline.Split()
	for _, a := range args {
		first.WriteString(" " + shellWord(t.say.String(a)))
	}
	out := []string{first.String()}
	for _, s := range t.cmdline.Settings {
		if leftOut().MatchString(s.Flag.Name) || !strings.HasPrefix(s.As, "-") {
			continue
		}
		flag := "--" + s.Flag.Name
		switch {
		case !s.Flag.TakesValue():
			if s.Value != "true" {
				flag += "=" + s.Value
			}
			out = append(out, flag)
		case s.Flag.Secret && !regexp.MustCompile(`^(env|file|cmd):`).MatchString(s.Value):
			out = append(out, flag+` "$`+"{"+s.Flag.Variable()+"?}"+`"`)
		default:
			out = append(out, flag+" "+shellWord(t.say.String(s.Value)))
		}
	}
	return out
}
