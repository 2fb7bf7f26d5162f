package recipe

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A mark is what is attached to the last event of a message: what is to happen when all
// its events are done.
type mark struct {
	of     *session
	frames proto.Send // what the server wants to hear
	// cursor is the position after the message, if moved is true; null when it is
	// forgotten.
	cursor any
	moved  bool
}

// marking returns the mark of the current message.
func (s *session) marking() *mark {
	if s.mark == nil {
		s.mark = &mark{of: s}
	}
	return s.mark
}

// marked adds the mark of the current message to the effects.
func (s *session) marked() {
	if s.mark != nil {
		s.add(proto.Moved{Position: s.mark})
		s.mark = nil
	}
}

// movedTo takes note of a new position, for a file; null forgets it.
func (s *session) movedTo(cursor any) {
	if s.svc.positions {
		m := s.marking()
		m.cursor, m.moved = cursor, true
	}
}

// confirmed sends a confirmation, now or when the events of the message are done.
func (s *session) confirmed(frames proto.Send) {
	if len(frames) > 0 && s.svc.recipe.onDelivered {
		m := s.marking()
		m.frames = append(m.frames, frames...)
		return
	}
	s.send(frames)
}

// Confirm implements proto.Confirmer. What came on another connection is not confirmed
// on this one: the server sends it again, or not, as it does.
func (s *session) Confirm(positions []any, now time.Time) []proto.Effect {
	s.begin(now)
	for _, p := range positions {
		if m, ok := p.(*mark); ok && m.of == s {
			s.send(m.frames)
		}
	}
	return s.effects
}

// ConfirmsDelivery implements proto.DeliveryConfirmer.
func (s *Service) ConfirmsDelivery() bool { return s.recipe.onDelivered }

// HasCursor reports whether the recipe has positions.
func (r *Recipe) HasCursor() bool { return r.cursor != nil }

// A position is the cursor of a run, as far as events are done.
type position struct {
	recipe *Recipe
	cursor any
}

// Move implements proto.Position.
func (p *position) Move(v any) {
	if m, ok := v.(*mark); ok && m.moved {
		p.cursor = m.cursor
	}
}

// JSON implements proto.Position.
func (p *position) JSON() json.RawMessage {
	if p.cursor == nil {
		return nil
	}
	b, err := eventjson.AppendValue(nil, p.cursor)
	if err != nil {
		return nil // an expression does not make such values
	}
	return b
}

// Secret implements proto.SecretPosition.
func (p *position) Secret() []string { return p.recipe.secrets }

// Resume implements proto.Resumer.
func (s *Service) Resume(stored []byte) (proto.Service, proto.Position, error) {
	if !s.recipe.HasCursor() {
		return nil, nil, fmt.Errorf("recipe %s has no [cursor]", s.recipe.Name)
	}
	resumed := *s
	resumed.positions = true
	if len(stored) > 0 {
		var d eventjson.Decoder
		v, err := d.Decode(stored)
		if err != nil {
			return nil, nil, errors.New("the position is not JSON")
		}
		resumed.stored = clone(v)
	}
	return &resumed, &position{s.recipe, resumed.stored}, nil
}

// EventID implements proto.Identifier.
func (s *Service) EventID(m proto.Message) string {
	if s.recipe.event.id == nil {
		return ""
	}
	var d eventjson.Decoder
	v, err := d.Decode(m.Data)
	if err != nil {
		v = eventjson.MessageValue(m.Data, m.Binary)
	}
	return attribute(s.recipe.event.id, v, []any{s.given})
}
