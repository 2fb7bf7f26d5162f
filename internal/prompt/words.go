package prompt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/pattern"
)

// words contains the words of messages for completion: the keys of their JSON, and the
// names of streams, channels and events.
type words struct {
	mu     sync.Mutex
	seen   int
	dec    eventjson.Decoder
	keys   map[string]bool
	values map[string]bool
}

const (
	// wordsLimit is the maximum number of keys, and of names.
	wordsLimit = 2000
	// allSeen is how many messages are all analyzed; of later ones only some are.
	allSeen = 500
)

// namesIn are the members whose values are names that users type.
var namesIn = pattern.Lazy(`^(type|event|name|subject|source|channel|topic|stream|streamId|path|resource|device|application)$`)

// see adds the words of a message.
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

// known returns the keys and the names, sorted.
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

// Fitting returns the elements of all that begin with begun, sorted.
func Fitting(all []string, begun string) []string {
	var fits []string
	for _, w := range all {
		if strings.HasPrefix(w, begun) {
			fits = append(fits, w)
		}
	}
	slices.Sort(fits)
	return slices.Compact(fits)
}

var plainKey = pattern.Lazy(`^[A-Za-z_][A-Za-z0-9_]*$`)

// files returns the files that begin with a path.
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
