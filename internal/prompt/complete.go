package prompt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/output"
)

// complete returns candidates at the cursor, for the editor.
func (t *talk) complete(line []rune, pos int) (start int, fits []string) {
	text := string(line[:pos])
	var all []string
	if name, rest, args := strings.Cut(text, " "); t.Slash && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		if !args {
			for _, c := range t.commands() {
				word := "/" + c.name
				if c.args != "" {
					word += " "
				}
				all = append(all, word)
			}
			return 0, Fitting(all, text)
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
	return len([]rune(text[:at])), Fitting(all, text[at:])
}

// exprWords returns the keys in the syntax of jq, and the names in quotes.
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

// jsonWords returns keys and names in the syntax of JSON, and names without quotes.
func (t *talk) jsonWords() []string {
	keys, names := t.words.known()
	all := names
	for _, k := range slices.Concat(keys, names) {
		all = append(all, quoted(k))
	}
	return all
}

// seenWords returns the names only.
func (t *talk) seenWords() []string {
	_, names := t.words.known()
	return append(names, t.Names...)
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

func (t *talk) viewWords() []string { return Views }

// historyShown is how many lines /history lists.
const historyShown = 50

// remember adds a line to the history, unless it begins with a space or contains a
// credential, or may be the rest of a JSON value with one.
func (t *talk) remember(text string) {
	if text == "" || text[0] == ' ' || credential.Contains(t.whole.Begun+text) || t.Say.String(text) != text {
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
			t.Warn("the history is not stored: %v", err)
			t.history = nil
		}
	}
}

// historyPath returns the file of the history of this endpoint.
func (t *talk) historyPath() (string, error) {
	state, _ := t.LookupEnv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, _ := t.LookupEnv("HOME")
		if home == "" {
			return "", errors.New("neither XDG_STATE_HOME nor HOME is set")
		}
		state = filepath.Join(home, ".local", "state")
	}
	// The address may contain a credential, so the rest of it is hashed.
	_, host, _ := strings.Cut(t.Place, "://")
	if i := strings.IndexAny(host, "/? "); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	host = regexp.MustCompile(`[^A-Za-z0-9.-]`).ReplaceAllString(host, "_")
	sum := sha256.Sum256([]byte(t.Place))
	return filepath.Join(state, "hark", "history", t.Service.Name()+"-"+cmdline.Cut(host, 60)+"-"+hex.EncodeToString(sum[:6])), nil
}
