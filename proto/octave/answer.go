package octave

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A reply is a message or an HTTP response of the service: of a response, only ok,
// msgId and the body matter. Other members have been observed with other JSON types
// than documented; they are shown in any type.
type reply struct {
	typ  string     // "" if absent or not a string
	head *replyHead // nil if it is not a response
	body []byte
}

// A replyHead is the head of a response.
type replyHead struct {
	msgID   []byte // JSON; nil when absent or null
	ok      bool
	denied  bool // ok is present, and not true
	status  int  // of the service, 0 for none
	reasons []string
}

// readReply parses a message or a response; false if it is not a JSON object.
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

// readHead returns nil for a head that is not an object.
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

// refused reports whether an HTTP response is a refusal.
func (h *replyHead) refused() bool { return h.denied || !h.ok && len(h.reasons) > 0 }

// stringOf returns the value of a JSON string, and "" for anything else.
func stringOf(value []byte) string {
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}

// reasonsOf returns the errors of a head as texts: strings unchanged, anything else as
// JSON.
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

// isEmpty reports whether a value has no content.
func isEmpty(value []byte) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", "{}", "[]", `""`:
		return true
	}
	return false
}
