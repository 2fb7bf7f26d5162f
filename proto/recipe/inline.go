package recipe

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
)

// An Inline is a recipe that is put together from expressions, such as those of a command
// line, instead of being read from a file. Its rules are those of [[on]], and a last one
// that takes all other messages for events.
type Inline struct {
	// Name and About are those of the recipe.
	Name, About string
	// URL is the address of the socket.
	URL string
	// Header are expressions for the values of headers, by name, in the order in which
	// they are given; Subprotocols are expressions too.
	Header       []Pair
	Subprotocols []string
	Params       []InlineParam
	// Open is sent when the socket is open, as it is.
	Open []string
	// On are conditions and what is sent when they are true.
	On []Pair
	// Every are times and what is sent each time.
	Every []InlineTimer
	// ReadyWhen is true of the message with which the stream is ready; "" if it is ready
	// at once. Event yields the events of a message that no condition takes; "" is the
	// message.
	ReadyWhen, Event string
}

// A Pair is a name or a condition, and an expression.
type Pair struct{ Left, Right string }

// An InlineParam is a parameter of an Inline.
type InlineParam struct {
	Name   string
	Secret bool
	// Default is its value unless it is Secret.
	Default string
}

// An InlineTimer is an expression that is sent each time that Every has passed.
type InlineTimer struct {
	Every time.Duration
	Send  string
}

// Source returns the recipe as a file.
func (i *Inline) Source() []byte {
	var b strings.Builder
	key := func(name, value string) { fmt.Fprintf(&b, "%s = %s\n", name, quoted(value)) }
	key("name", i.Name)
	if i.About != "" {
		key("about", i.About)
	}
	for _, p := range i.Params {
		fmt.Fprintf(&b, "\n[param.%s]\n", p.Name)
		if p.Secret {
			b.WriteString("secret = true\n")
		} else {
			key("default", p.Default)
		}
	}
	b.WriteString("\n[connect]\n")
	key("url", string(eventjson.AppendString(nil, i.URL)))
	if len(i.Header) > 0 {
		var members []string
		for _, h := range i.Header {
			members = append(members, string(eventjson.AppendString(nil, h.Left))+": "+h.Right)
		}
		key("header", "{"+strings.Join(members, ", ")+"}")
	}
	if len(i.Subprotocols) > 0 {
		key("subprotocol", "["+strings.Join(i.Subprotocols, ", ")+"]")
	}
	if len(i.Open) > 0 {
		var texts []string
		for _, text := range i.Open {
			texts = append(texts, string(eventjson.AppendString(nil, text)))
		}
		b.WriteString("\n[open]\n")
		key("send", strings.Join(texts, ", "))
	}
	for _, rule := range i.On {
		b.WriteString("\n[[on]]\n")
		key("when", rule.Left)
		key("send", rule.Right)
		if i.ReadyWhen != "" {
			key("ready", i.ReadyWhen)
		}
	}
	b.WriteString("\n[[on]]\n")
	key("when", "true")
	if i.ReadyWhen != "" {
		key("ready", i.ReadyWhen)
	}
	if i.Event != "" {
		key("event", i.Event)
	} else {
		key("event", ".")
	}
	for _, t := range i.Every {
		fmt.Fprintf(&b, "\n[[every]]\nseconds = %s\n", strconv.FormatFloat(t.Every.Seconds(), 'f', -1, 64))
		key("send", t.Send)
	}
	return []byte(b.String())
}

// quoted returns text as a string of TOML: in single quotes as it is, or with escapes if
// it has quotes or control characters in it.
func quoted(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' }) {
		return "'" + text + "'"
	}
	// The escapes of JSON are escapes of TOML.
	return strings.ReplaceAll(string(eventjson.AppendString(nil, text)), "\x7f", `\u007f`)
}
