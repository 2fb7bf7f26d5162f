package prompt

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/cmdline"
)

// A macro is a message in the configuration file with parameters: ${name}.
type macro struct{ name, text string }

// places returns the names of the parameters, in order.
func (m macro) places() []string {
	var names []string
	for _, part := range strings.Split(m.text, "${")[1:] {
		if name, _, ok := strings.Cut(part, "}"); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (m macro) synopsis() string {
	var parts []string
	for _, name := range m.places() {
		parts = append(parts, name+"=VALUE")
	}
	return strings.Join(parts, " ")
}

// expand replaces the parameters by NAME=VALUE words; the value of the last one may
// contain spaces.
func (m macro) expand(rest string) (string, error) {
	places := m.places()
	values := make(map[string]string)
	last := ""
	for word := range strings.FieldsSeq(rest) {
		name, value, ok := strings.Cut(word, "=")
		switch {
		case ok && slices.Contains(places, name):
			values[name], last = value, name
		case last != "":
			values[last] += " " + word
		default:
			return "", cmdline.Usagef("/%s: expected %s", m.name, m.synopsis())
		}
	}
	text := m.text
	for _, name := range places {
		value, ok := values[name]
		if !ok {
			return "", cmdline.Usagef("/%s requires %s=VALUE", m.name, name)
		}
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	if !utf8.ValidString(text) {
		return "", cmdline.Usagef("/%s: the text is not UTF-8", m.name)
	}
	return text, nil
}
