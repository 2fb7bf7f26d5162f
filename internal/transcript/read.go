package transcript

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

// Parse reads a transcript; name is for messages. The error is a *jq.Error that shows
// the line and the place of the mistake in it.
func Parse(name string, src []byte) (*File, error) {
	r := reader{file: &File{Name: name}, names: make(map[string]int)}
	for text := range strings.SplitSeq(strings.TrimPrefix(string(src), "\ufeff"), "\n") {
		r.line, r.text = r.line+1, strings.TrimSuffix(text, "\r")
		if err := r.read(); err != nil {
			return nil, err
		}
	}
	if err := r.endCase(); err != nil {
		return nil, err
	}
	if len(r.file.Cases) == 0 {
		r.line, r.text = 1, ""
		return nil, r.fail(0, "no case: expected # case NAME")
	}
	return r.file, nil
}

// A reader reads a line of a transcript after the other.
type reader struct {
	file  *File
	names map[string]int // of the cases, with their lines
	live  int            // the line of # live, 0 without one

	line int
	text string // the line
	c    *Case  // nil before the first
}

// fail is a mistake in the line, at a byte of it.
func (r *reader) fail(at int, format string, args ...any) error {
	column := utf8.RuneCountInString(r.text[:min(at, len(r.text))]) + 1
	return &jq.Error{
		Flag: fmt.Sprintf("%s:%d:%d", r.file.Name, r.line, column),
		Expr: r.text, Offset: at, Msg: fmt.Sprintf(format, args...),
	}
}

// read reads the line.
func (r *reader) read() error {
	if !utf8.ValidString(r.text) {
		return r.fail(0, "not UTF-8: binary messages are written as <b BASE64")
	}
	mark, rest, at := cut(r.text, 0)
	switch mark {
	case "":
		return nil
	case "#":
		return r.directive(rest, at)
	case "<", "<b", "<old", ">", "=", "+", "!", "!old":
	default:
		if strings.HasPrefix(mark, "##") {
			return nil
		}
		return r.fail(0, `unknown mark %q: expected #, <, <b, <old, >, =, +, ! or !old; a comment begins with ##`, brief(mark))
	}
	if r.c == nil {
		return r.fail(0, "a line before the first # case")
	}
	if n := len(r.c.Steps); n > 0 && r.c.Steps[n-1].Kind == Exit {
		return r.fail(0, "a line after = exit, which ends the case")
	}
	s := Step{Line: r.line, Text: r.text}
	var err error
	switch mark {
	case "<":
		s.Kind, s.Data = Serve, []byte(strings.TrimPrefix(strings.TrimPrefix(r.text, "<"), " "))
	case "<old":
		s.Kind, s.Old, s.Data = Serve, true, []byte(rest)
	case "<b":
		s.Kind, s.Binary = Serve, true
		if s.Data, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(rest)); err != nil {
			return r.fail(at, "not base64 with padding")
		}
	case ">":
		err = r.client(&s, rest, at)
	case "=":
		err = r.outcome(&s, rest, at)
	case "+":
		s.Kind = Pass
		if s.Duration, err = time.ParseDuration(strings.TrimSpace(rest)); err != nil || s.Duration <= 0 {
			return r.fail(at, "expected a time such as 30s")
		}
	case "!", "!old":
		s.Old = mark == "!old"
		err = r.end(&s, rest, at)
	}
	if err != nil {
		return err
	}
	if s.Kind != Request && len(r.c.Steps) == 0 {
		return r.fail(0, "a case begins with # open or > request")
	}
	r.c.Steps = append(r.c.Steps, s)
	return nil
}

// cut cuts the first word off text, which begins at a byte of the line, and returns
// where the rest begins.
func cut(text string, at int) (word, rest string, restAt int) {
	begin := len(text) - len(strings.TrimLeft(text, " \t"))
	end := begin + strings.IndexAny(text[begin:]+" ", " \t")
	next := end + len(text[end:]) - len(strings.TrimLeft(text[end:], " \t"))
	return text[begin:end], text[next:], at + next
}

// directive reads what follows a #.
func (r *reader) directive(text string, at int) error {
	word, rest, restAt := cut(text, at)
	if word == "case" {
		return r.begin(strings.TrimSpace(rest), restAt)
	}
	switch word {
	case "params", "open", "live":
	default:
		return r.fail(at, "unknown directive %q: expected case, params, open or live; a comment begins with ##", brief(word))
	}
	if r.c == nil {
		return r.fail(at, "a line before the first # case")
	}
	switch word {
	case "params":
		if len(r.c.Steps) > 0 {
			return r.fail(at, "# params comes before all that happens")
		}
		return r.params(rest, restAt)
	case "open":
		s := Step{Kind: Open, Line: r.line, Text: r.text, Status: 101}
		if err := r.exchange(&s, rest, restAt); err != nil {
			return err
		}
		r.c.Steps = append(r.c.Steps, s)
	case "live":
		if strings.TrimSpace(rest) != "" {
			return r.fail(restAt, "# live has no arguments")
		}
		if r.live > 0 {
			return r.fail(at, "line %d has # live already", r.live)
		}
		r.live, r.c.Live = r.line, len(r.c.Steps)
	}
	return nil
}

// begin begins a case.
func (r *reader) begin(name string, at int) error {
	if name == "" {
		return r.fail(at, "a case has a name")
	}
	if line, known := r.names[name]; known {
		return r.fail(at, "line %d has a case of this name already", line)
	}
	if err := r.endCase(); err != nil {
		return err
	}
	r.names[name] = r.line
	r.c = &Case{Name: name, Line: r.line, Live: -1}
	r.file.Cases = append(r.file.Cases, r.c)
	return nil
}

// endCase checks a case that ends before the line.
func (r *reader) endCase() error {
	switch {
	case r.c == nil:
		return nil
	case len(r.c.Steps) == 0:
		return r.fail(0, "nothing happens in the case of line %d", r.c.Line)
	case r.c.Live >= 0 && !r.c.repeats():
		return r.fail(0, "after the # live of line %d the server sends nothing", r.live)
	}
	return nil
}

// repeats reports whether the server sends something in what an emulator repeats.
func (c *Case) repeats() bool {
	for _, s := range c.Steps[c.Live:] {
		if s.Kind == Serve {
			return true
		}
	}
	return false
}

// params reads NAME=VALUE and NAME="JSON string".
func (r *reader) params(text string, at int) error {
	for strings.TrimSpace(text) != "" {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t\"") {
			return r.fail(at, "expected NAME=VALUE")
		}
		at += len(name) + 1
		end := strings.IndexAny(value+" ", " \t")
		if strings.HasPrefix(value, `"`) {
			d := json.NewDecoder(strings.NewReader(value))
			var quoted string
			if err := d.Decode(&quoted); err != nil {
				return r.fail(at, "not a JSON string")
			}
			end = int(d.InputOffset())
			r.c.Params = append(r.c.Params, Param{name, quoted})
		} else {
			r.c.Params = append(r.c.Params, Param{name, value[:end]})
		}
		rest := strings.TrimLeft(value[end:], " \t")
		if rest == value[end:] && rest != "" {
			return r.fail(at+end, "expected a space")
		}
		at, text = at+len(value)-len(rest), rest
	}
	return nil
}

// client reads what follows a >.
func (r *reader) client(s *Step, text string, at int) error {
	if word, rest, restAt := cut(text, at); word == "request" {
		s.Kind = Request
		if err := r.exchange(s, rest, restAt); err != nil {
			return err
		}
		if s.Status == 0 {
			return r.fail(len(r.text), "expected => STATUS, the answer")
		}
		return nil
	}
	s.Kind = Send
	return r.match(s, text, at)
}

// exchange reads EXPR => STATUS BODY.
func (r *reader) exchange(s *Step, text string, at int) error {
	expr, answer := text, ""
	if arrow := jq.Index(text, "=>"); arrow >= 0 {
		expr, answer = text[:arrow], text[arrow+2:]
		word, body, _ := cut(answer, 0)
		status, err := strconv.Atoi(word)
		if err != nil || status < 100 || status > 599 {
			return r.fail(at+arrow+2+len(answer)-len(strings.TrimLeft(answer, " \t")), "expected an HTTP status")
		}
		s.Status, s.Data = status, []byte(body)
	}
	if strings.TrimSpace(expr) == "" {
		return nil
	}
	return r.match(s, expr, at)
}

// match reads an expression.
func (r *reader) match(s *Step, expr string, at int) error {
	if strings.TrimSpace(expr) == "" {
		return r.fail(at, "expected a jq expression")
	}
	p, err := newPredicate(expr)
	if e, ok := errors.AsType[*jq.Error](err); ok {
		return r.fail(at+max(e.Offset, 0), "%s", e.Msg)
	}
	s.Match = p
	return err
}

// outcome reads what follows an =.
func (r *reader) outcome(s *Step, text string, at int) error {
	word, rest, restAt := cut(text, at)
	rest = strings.TrimSpace(rest)
	switch word {
	case "ready", "gap":
		if s.Kind = Ready; word == "gap" {
			s.Kind = Gap
		}
		if rest != "" {
			return r.fail(restAt, "= %s has no arguments", word)
		}
	case "event":
		s.Kind = Event
		var d eventjson.Decoder // of its own: its maps live as long as the step
		v, err := d.Decode([]byte(rest))
		if e, ok := errors.AsType[*eventjson.SyntaxError](err); ok {
			return r.fail(restAt+e.Offset, "%s", e.Error())
		} else if err != nil {
			return r.fail(restAt, "%v", err)
		}
		s.Value = v
	case "exit":
		s.Kind = Exit
		code, err := strconv.Atoi(rest)
		if err != nil || code < 0 || code > 255 {
			return r.fail(restAt, "expected an exit code")
		}
		s.Code = code
	default:
		return r.fail(at, "unknown outcome %q: expected ready, event JSON, gap or exit CODE", brief(word))
	}
	return nil
}

// end reads what follows a !.
func (r *reader) end(s *Step, text string, at int) error {
	word, rest, restAt := cut(text, at)
	switch word {
	case "cut":
		s.Kind = Cut
		if rest != "" {
			return r.fail(restAt, "! cut has no arguments")
		}
	case "close":
		s.Kind = Close
		number, reason, reasonAt := cut(rest, restAt)
		code, err := strconv.Atoi(number)
		if err != nil || code < 1000 || code > 4999 {
			return r.fail(restAt, "expected a close code from 1000 to 4999")
		}
		if s.Code, s.Reason = code, strings.TrimSpace(reason); len(s.Reason) > maxReason {
			return r.fail(reasonAt, "a reason has at most %d bytes", maxReason)
		}
	default:
		return r.fail(at, "unknown end %q: expected close CODE REASON, or cut", brief(word))
	}
	return nil
}

// maxReason is how long the reason of a close frame may be (RFC 6455, section 5.5).
const maxReason = 123

// brief is a word for a message.
func brief(word string) string {
	if n := eventjson.CutText(word, 24); n < len(word) {
		return word[:n] + "…"
	}
	return word
}
