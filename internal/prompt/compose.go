package prompt

import (
	"errors"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A Composed value is JSON typed in several lines.
type Composed struct{ Begun string }

// Add adds a line. It returns all lines when the value is complete, or after an empty
// line.
func (c *Composed) Add(line string) (text string, complete bool) {
	switch {
	case c.Begun == "":
		text = line
	case line == "":
		text, c.Begun = c.Begun, ""
		return text, true
	default:
		text = c.Begun + "\n" + line
	}
	if c.Begun = ""; unfinished(text) {
		c.Begun = text
		return "", false
	}
	return text, true
}

// unfinished reports whether text is an incomplete JSON object or array.
func unfinished(text string) bool {
	begin := strings.TrimLeft(text, " \t")
	if begin == "" || begin[0] != '{' && begin[0] != '[' {
		return false
	}
	var dec eventjson.Decoder
	b := []byte(text + "\n")
	_, err := dec.Decode(b)
	var syntax *eventjson.SyntaxError
	return errors.As(err, &syntax) && syntax.Offset >= len(b)
}
