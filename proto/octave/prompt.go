package octave

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// Commands implements Commanded.
func (o *Service) Commands() []proto.Command {
	return []proto.Command{
		{Name: "subscribe", Args: "STREAM…", Help: "subscribe to more streams, by id or path", Lasting: true},
		{Name: "unsubscribe", Args: "STREAM…", Help: "end subscriptions", Lasting: true},
		{Name: "streams", Help: "list the subscriptions of this connection"},
	}
}

// A byHand is the state of subscriptions changed at the prompt on one connection. A
// refusal of such a request is a warning, not the end of the connection.
type byHand struct {
	requests int
	awaited  map[string]handRequest // msgId → request
	added    []string
	ended    map[string]bool
}

type handRequest struct{ typ, stream string }

// Command implements Commander.
func (s *session) Command(name string, args []string, now time.Time) ([]proto.Effect, string, error) {
	h := &s.byHand
	switch name {
	case "streams":
		list := s.subscribed()
		if len(list) == 0 {
			return nil, "no subscriptions", nil
		}
		return nil, strings.Join(list, "\n"), nil
	case "subscribe", "unsubscribe":
		if len(args) == 0 {
			return nil, "", fmt.Errorf("/%s requires the id or path of a stream", name)
		}
	default:
		return nil, "", errors.New("unknown command")
	}
	if h.awaited == nil {
		h.awaited = make(map[string]handRequest)
	}
	typ := wire.TypeSubscribe
	if name == "unsubscribe" {
		typ = wire.TypeUnsubscribe
	}
	var send proto.Send
	for _, stream := range args {
		if slices.Contains(s.subscribed(), stream) == (typ == wire.TypeSubscribe) {
			is := map[bool]string{true: "already", false: "not"}[typ == wire.TypeSubscribe]
			return nil, "", fmt.Errorf("%s subscribed to %s", is, stream)
		}
		h.requests++
		id := "by-hand-" + strconv.Itoa(h.requests)
		h.awaited[id] = handRequest{typ, stream}
		send = append(send, subscription(id, typ, stream))
	}
	return []proto.Effect{send}, "", nil
}

// subscribed lists the subscribed streams.
func (s *session) subscribed() []string {
	waiting := slices.Collect(maps.Values(s.awaited))
	var list []string
	for _, stream := range slices.Concat(s.o.Streams, s.byHand.added) {
		if !s.byHand.ended[stream] && !slices.Contains(waiting, stream) {
			list = append(list, stream)
		}
	}
	return list
}

// answer handles the answer to a request made at the prompt.
func (h *byHand) answer(id string, head *replyHead) (proto.Effect, bool) {
	asked, ok := h.awaited[id]
	if !ok {
		return nil, false
	}
	delete(h.awaited, id)
	if !head.ok {
		err := &proto.RefusedError{Request: asked.typ + " " + asked.stream, Status: head.status, Reasons: head.reasons}
		return proto.Warning(err.Error()), true
	}
	if asked.typ == wire.TypeUnsubscribe {
		if h.ended == nil {
			h.ended = make(map[string]bool)
		}
		h.ended[asked.stream] = true
		h.added = slices.DeleteFunc(h.added, func(s string) bool { return s == asked.stream })
		return proto.Answer("unsubscribed from " + asked.stream), true
	}
	delete(h.ended, asked.stream)
	h.added = append(h.added, asked.stream)
	return proto.Answer("subscribed to " + asked.stream), true
}
