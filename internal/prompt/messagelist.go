package prompt

import (
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A message is one that has arrived.
type message struct {
	data   []byte
	binary bool
	at     time.Time
}

// value returns a message as a value, valid until the next use of dec.
func (m message) value(dec *eventjson.Decoder) any {
	if !m.binary {
		if v, err := dec.Decode(m.data); err == nil {
			return v
		}
	}
	return eventjson.MessageValue(m.data, m.binary)
}

// A messageList contains the last messages, in the order of their arrival.
type messageList struct {
	items []message
	size  int // of their data, in bytes
}

// listLimit is the maximum number of messages of a list, and listSize that of their
// bytes; one message may have more.
const (
	listLimit = 1000
	listSize  = 4 << 20
)

// add adds a message, removes the oldest ones beyond the limits, and reports whether
// there were any.
func (l *messageList) add(m message) (dropped bool) {
	l.items = append(l.items, m)
	l.size += len(m.data)
	n := 0
	for len(l.items)-n > listLimit || l.size > listSize && n < len(l.items)-1 {
		l.size -= len(l.items[n].data)
		n++
	}
	l.items = slices.Delete(l.items, 0, n)
	return n > 0
}

// take removes the oldest message that matches, and reports whether there was one.
func (l *messageList) take(matches func(message) bool) bool {
	i := slices.IndexFunc(l.items, matches)
	if i < 0 {
		return false
	}
	l.size -= len(l.items[i].data)
	l.items = slices.Delete(l.items, i, i+1)
	return true
}
