package commands

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/output"
)

// words are what completion has learned from messages: the keys of their JSON, and
// the names of streams, channels and events.
type words struct {
	mu     sync.Mutex
	seen   int
	dec    jsontext.Decoder
	keys   map[string]bool
	values map[string]bool
}

const (
	// wordsLimit is how many keys, and how many names, are kept.
	wordsLimit = 2000
	// allSeen is how many messages are looked at one by one; of later ones only some.
	allSeen = 500
)

// namesIn are the members whose values are names that users type.
var namesIn = pattern(`^(type|event|name|subject|source|channel|topic|stream|streamId|path|resource|device|application)$`)

// see learns from a message.
func (w *words) see(data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen++
	if w.seen > allSeen && w.seen%64 != 0 || len(data) > 64<<10 {
		return
	}
	v, err := w.dec.Decode(data)
	if err != nil {
		return
	}
	if w.keys == nil {
		w.keys, w.values = make(map[string]bool), make(map[string]bool)
	}
	w.learn(v)
}

func (w *words) learn(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if len(w.keys) < wordsLimit {
				w.keys[strings.Clone(key)] = true
			}
			if name, ok := value.(string); ok && namesIn().MatchString(key) {
				w.name(name)
			}
			if list, ok := value.([]any); ok && key == "emit" && len(list) > 0 {
				if name, ok := list[0].(string); ok {
					w.name(name)
				}
			}
			w.learn(value)
		}
	case []any:
		for _, value := range v[:min(len(v), 16)] {
			w.learn(value)
		}
	}
}

func (w *words) name(name string) {
	if len(w.values) < wordsLimit && len(name) <= 80 && name != "" {
		w.values[strings.Clone(name)] = true
	}
}

// known lists the keys and the names, sorted.
func (w *words) known() (keys, names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.keys {
		keys = append(keys, k)
	}
	for v := range w.values {
		names = append(names, v)
	}
	slices.Sort(keys)
	slices.Sort(names)
	return keys, names
}

// complete finds what may stand at the cursor. It is called by the editor.
func (t *talk) complete(line []rune, pos int) (start int, fits []string) {
	text := string(line[:pos])
	var all []string
	if name, rest, args := strings.Cut(text, " "); t.flags.slash && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		if !args {
			for _, c := range t.commands() {
				word := "/" + c.name
				if c.args != "" {
					word += " "
				}
				all = append(all, word)
			}
			return 0, fitting(all, text)
		}
		for _, c := range t.commands() {
			if "/"+c.name == name && c.words != nil {
				all = c.words(t)
			}
		}
		if name == "/file" || name == "/save" || name == "/record" || name == "/binary" && strings.HasPrefix(rest, "@") {
			word := strings.TrimPrefix(rest, "@")
			return pos - len([]rune(word)), files(word)
		}
	} else {
		all = t.jsonWords()
	}
	at := strings.LastIndexAny(text, " \t{}[](),:|=!<>;\"") + 1
	if at > 0 && text[at-1] == '"' {
		at--
	}
	if dot := strings.LastIndexByte(text[at:], '.'); dot >= 0 && strings.HasPrefix(text, "/") {
		at += dot
	}
	if text[at:] == "" && !strings.HasPrefix(text, "/") {
		return pos, nil // anything fits
	}
	return len([]rune(text[:at])), fitting(all, text[at:])
}

func fitting(all []string, begun string) []string {
	var fits []string
	for _, w := range all {
		if strings.HasPrefix(w, begun) {
			fits = append(fits, w)
		}
	}
	slices.Sort(fits)
	return slices.Compact(fits)
}

var plainKey = pattern(`^[A-Za-z_][A-Za-z0-9_]*$`)

// exprWords are the keys as a jq expression has them, and the names in quotes.
func (t *talk) exprWords() []string {
	keys, names := t.words.known()
	all := []string{"off"}
	for _, k := range keys {
		if plainKey().MatchString(k) {
			all = append(all, "."+k)
		} else {
			all = append(all, "."+quoted(k))
		}
	}
	for _, n := range names {
		all = append(all, quoted(n))
	}
	return all
}

// jsonWords are keys and names as a JSON message has them, and names as they are.
func (t *talk) jsonWords() []string {
	keys, names := t.words.known()
	all := names
	for _, k := range slices.Concat(keys, names) {
		all = append(all, quoted(k))
	}
	return all
}

// seenWords are the names alone.
func (t *talk) seenWords() []string {
	_, names := t.words.known()
	return append(names, t.names...)
}

func (t *talk) formatWords() []string {
	var all []string
	for _, f := range []string{"message", "cloudevents", "frames"} {
		if _, err := output.ParseFormat(f); err == nil {
			all = append(all, f)
		}
	}
	return all
}

func quoted(s string) string { return string(jsontext.AppendString(nil, s)) }

// files lists the files that a path may become.
func files(begun string) []string {
	found, err := filepath.Glob(globQuote.Replace(begun) + "*")
	if err != nil {
		return nil
	}
	for i, f := range found {
		if info, err := os.Stat(f); err == nil && info.IsDir() {
			found[i] += string(filepath.Separator)
		}
	}
	return found
}

var globQuote = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

// A composed value is JSON that takes several lines to type.
type composed struct{ begun string }

// add takes a line. It returns all lines when they are complete, or when an empty one
// says that this is enough.
func (c *composed) add(line string) (text string, complete bool) {
	switch {
	case c.begun == "":
		text = line
	case line == "":
		text, c.begun = c.begun, ""
		return text, true
	default:
		text = c.begun + "\n" + line
	}
	if c.begun = ""; unfinished(text) {
		c.begun = text
		return "", false
	}
	return text, true
}

// unfinished tells whether text is the beginning of a JSON object or array, and no
// more than that.
func unfinished(text string) bool {
	begin := strings.TrimLeft(text, " \t")
	if begin == "" || begin[0] != '{' && begin[0] != '[' {
		return false
	}
	var dec jsontext.Decoder
	b := []byte(text + "\n")
	_, err := dec.Decode(b)
	var syntax *jsontext.SyntaxError
	return errors.As(err, &syntax) && syntax.Offset >= len(b)
}

// historyShown is how many lines /history lists.
const historyShown = 50

// remember adds a line to the history, unless it begins with a space or has a
// credential in it, or may be the rest of a JSON value with one.
func (t *talk) remember(text string) {
	if text == "" || text[0] == ' ' || credential.Holds(t.whole.begun+text) || t.say.String(text) != text {
		return
	}
	if t.past = append(t.past, text); len(t.past) > 2*historyShown {
		t.past = append([]string(nil), t.past[historyShown:]...)
	}
	if t.ed != nil {
		t.ed.Remember(text)
	}
	if t.history != nil {
		if err := t.history.Add(text); err != nil {
			t.warn("the history is not kept: %v", err)
			t.history = nil
		}
	}
}

// historyPath is where the history of this endpoint is kept.
func (t *talk) historyPath() (string, error) {
	state, _ := t.LookupEnv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, _ := t.LookupEnv("HOME")
		if home == "" {
			return "", errors.New("neither XDG_STATE_HOME nor HOME is set")
		}
		state = filepath.Join(home, ".local", "state")
	}
	// The address may have a credential in it: only its host is readable.
	_, host, _ := strings.Cut(t.place, "://")
	if i := strings.IndexAny(host, "/? "); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	host = regexp.MustCompile(`[^A-Za-z0-9.-]`).ReplaceAllString(host, "_")
	sum := sha256.Sum256([]byte(t.place))
	return filepath.Join(state, "hark", "history", t.svc.Name()+"-"+cmdline.Cut(host, 60)+"-"+hex.EncodeToString(sum[:6])), nil
}
