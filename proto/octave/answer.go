package octave

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A reply is a message of the service, or an answer over HTTP: of an answer,
// only ok, msgId and the body decide. The other members were seen with other JSON
// types than those that are documented; they are shown, whatever they are.
type reply struct {
	typ  string     // "" when it is none, or no string
	head *replyHead // nil for what is no answer
	body []byte
}

// A replyHead is the head of an answer.
type replyHead struct {
	msgID   []byte // JSON; nil when absent or null
	ok      bool
	denied  bool // ok is there, and not true
	status  int  // of the service, 0 when it gave none
	reasons []string
}

// readReply reads a message or an answer; false when it is not a JSON object.
func readReply(text []byte) (m reply, ok bool) {
	if valid, _ := eventjson.Valid(text); !valid {
		return m, false
	}
	ok = eventjson.Members(text, func(name, value []byte) bool {
		switch string(name) {
		case "type":
			m.typ = stringOf(value)
		case "head":
			m.head = readHead(value)
		case "body":
			m.body = value
		}
		return true
	})
	return m, ok
}

// readHead returns nil for a head that is no object.
func readHead(text []byte) *replyHead {
	var h replyHead
	ok := eventjson.Members(text, func(name, value []byte) bool {
		switch string(name) {
		case "msgId":
			if h.msgID = value; isEmpty(value) {
				h.msgID = nil
			}
		case "ok":
			h.ok = string(value) == "true"
			h.denied = !h.ok
		case "status":
			h.status, _ = strconv.Atoi(strings.Trim(string(value), `"`))
		case "errors":
			h.reasons = reasonsOf(value)
		}
		return true
	})
	if !ok {
		return nil
	}
	return &h
}

// refused reports whether an answer over HTTP is a refusal.
func (h *replyHead) refused() bool { return h.denied || !h.ok && len(h.reasons) > 0 }

// stringOf is the value of a JSON string, and "" for anything else.
func stringOf(value []byte) string {
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}

// reasonsOf are the errors of a head as texts: strings as they are, anything else
// as JSON.
func reasonsOf(value []byte) []string {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		list = []json.RawMessage{value}
	}
	var reasons []string
	for _, v := range list {
		switch text := stringOf(v); {
		case text != "":
			reasons = append(reasons, text)
		case !isEmpty(v):
			reasons = append(reasons, proto.Excerpt(v))
		}
	}
	return reasons
}

// isEmpty reports whether a value says nothing.
func isEmpty(value []byte) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", "{}", "[]", `""`:
		return true
	}
	return false
}
