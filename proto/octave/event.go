package octave

import (
	"bytes"
	"strconv"

	"github.com/hark-cli/hark/internal/eventjson"
)

// An eventInfo has the members of an event that identify and order it.
type eventInfo struct {
	raw      []byte // its JSON text
	id       []byte // without quotes, with escapes
	created  int64  // creationDate
	edited   int64  // lastEditDate, 0 if it equals created
	streamID []byte
	path     []byte
	elems    []byte
}

// readEvent parses these members of an event only. The result refers to text.
func readEvent(text []byte) (e eventInfo, ok bool) {
	e.raw = text
	ok = eventjson.Members(text, func(name, value []byte) bool {
		switch string(name) {
		case "id":
			e.id = unquoted(value)
		case "creationDate":
			e.created = millis(value)
		case "lastEditDate":
			e.edited = millis(value)
		case "streamId":
			e.streamID = unquoted(value)
		case "path":
			e.path = unquoted(value)
		case "elems":
			e.elems = value
		}
		return true
	})
	if e.edited == e.created {
		e.edited = 0 // new events have null or this; both were observed
	}
	return e, ok && len(e.id) > 0 && e.created > 0
}

// readPush parses a message with an event.
func readPush(message []byte) (resource []byte, e eventInfo, ok bool) {
	if resource, value, ok := pushParts(message); ok {
		if e, ok := readEvent(value); ok {
			return resource, e, true
		}
	}
	var value []byte
	ok = eventjson.Members(message, func(name, v []byte) bool {
		switch string(name) {
		case "resource":
			resource = unquoted(v)
		case "value":
			value = v
		}
		return true
	})
	if !ok {
		return nil, e, false
	}
	e, ok = readEvent(value)
	return resource, e, ok
}

// pushParts splits a message in the form of the documentation, without parsing the
// event in it.
func pushParts(message []byte) (resource, value []byte, ok bool) {
	rest, ok := bytes.CutPrefix(message, pushedPrefix)
	if !ok {
		return nil, nil, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`"resource":"`)); !ok {
		return nil, nil, false
	}
	i := 0
	for i < len(rest) && (rest[i]-'0' <= 9 || rest[i]-'a' <= 'z'-'a') { // an id
		i++
	}
	resource, rest = rest[:i], rest[i:]
	if rest, ok = bytes.CutPrefix(rest, []byte(`","value":`)); !ok {
		return nil, nil, false
	}
	value, ok = bytes.CutSuffix(rest, []byte("}"))
	return resource, value, ok
}

// unquoted returns the text of a JSON string, with its escapes; nil for another value.
func unquoted(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	return value[1 : len(value)-1]
}

// millis parses a date: a number of milliseconds, or 0 if it is not one.
func millis(value []byte) int64 {
	var n int64
	for _, c := range value {
		if c < '0' || c > '9' || n > 1<<53 {
			return oddMillis(value)
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// oddMillis parses a number that does not consist of digits only, such as 1.7e12.
func oddMillis(value []byte) int64 {
	if len(value) > 0 && value[0] >= '0' && value[0] <= '9' {
		if f, err := strconv.ParseFloat(string(value), 64); err == nil && f < 1<<53 {
			return int64(f)
		}
	}
	return 0
}
