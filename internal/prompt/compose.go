package prompt

import (
	"errors"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A Composed value is JSON that takes several lines to type.
type Composed struct{ Begun string }

// Add takes a line. It returns all lines when they are complete, or when an empty one
// says that this is enough.
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

// unfinished reports whether text is the beginning of a JSON object or array, and no
// more than that.
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
