package proto

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/jsontext"
)

// An octaveMessage is a message of the service, or an answer over HTTP: of an answer,
// only ok, msgId and the body decide. The other members were seen with other JSON
// types than those that are documented; they are shown, whatever they are.
type octaveMessage struct {
	typ  string      // "" when it is none, or no string
	head *octaveHead // nil for what is no answer
	body []byte
}

// An octaveHead is the head of an answer.
type octaveHead struct {
	msgID   []byte // JSON; nil when absent or null
	ok      bool
	denied  bool // ok is there, and not true
	status  int  // of the service, 0 when it gave none
	reasons []string
}

// readOctaveMessage reads a message or an answer; false when it is no JSON object.
func readOctaveMessage(text []byte) (m octaveMessage, ok bool) {
	if valid, _ := jsontext.Scan(text); !valid {
		return m, false
	}
	ok = jsontext.Members(text, func(name, value []byte) bool {
		switch string(name) {
		case "type":
			m.typ = octaveText(value)
		case "head":
			m.head = readOctaveHead(value)
		case "body":
			m.body = value
		}
		return true
	})
	return m, ok
}

// readOctaveHead returns nil for a head that is no object.
func readOctaveHead(text []byte) *octaveHead {
	var h octaveHead
	ok := jsontext.Members(text, func(name, value []byte) bool {
		switch string(name) {
		case "msgId":
			if h.msgID = value; octaveEmpty(value) {
				h.msgID = nil
			}
		case "ok":
			h.ok = string(value) == "true"
			h.denied = !h.ok
		case "status":
			h.status, _ = strconv.Atoi(strings.Trim(string(value), `"`))
		case "errors":
			h.reasons = octaveReasons(value)
		}
		return true
	})
	if !ok {
		return nil
	}
	return &h
}

// refused reports whether an answer over HTTP is a refusal.
func (h *octaveHead) refused() bool { return h.denied || !h.ok && len(h.reasons) > 0 }

// octaveText is the value of a JSON string, and "" for anything else.
func octaveText(value []byte) string {
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}

// octaveReasons are the errors of a head as texts: strings as they are, anything else
// as JSON.
func octaveReasons(value []byte) []string {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		list = []json.RawMessage{value}
	}
	var reasons []string
	for _, v := range list {
		switch text := octaveText(v); {
		case text != "":
			reasons = append(reasons, text)
		case !octaveEmpty(v):
			reasons = append(reasons, Excerpt(v))
		}
	}
	return reasons
}

// octaveEmpty reports whether a value says nothing.
func octaveEmpty(value []byte) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", "{}", "[]", `""`:
		return true
	}
	return false
}
