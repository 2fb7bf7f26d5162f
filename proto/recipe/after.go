package recipe

import (
	"fmt"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/sequence"
)

// after does what is to be done after a message that is an event, or from which events
// were made, which are then given: the cursor, the confirmation, the sequence.
func (s *session) after(m *message, n afterNeeds, events []any) {
	if !s.live {
		s.live = true
		s.add(proto.StreamLive{})
	}
	if !n.any {
		return
	}
	v, err := m.value, error(nil)
	if !m.complete {
		if n.event && len(events) == 0 {
			v, err = s.all(m)
		} else if !m.known || !s.svc.match.merged {
			v, err = s.decode(&s.later, m, n.needs)
		}
	}
	if err != nil {
		return // it has been said
	}
	if len(events) == 0 {
		events = []any{v}
	}
	s.inSequence(v, events)
	last := events[len(events)-1]
	s.moveCursor(v, last)
	if e := s.svc.recipe.confirm; e != nil {
		outputs, err := s.evalEvent(e, v, last)
		var frames proto.Send
		for _, out := range outputs {
			f, ok, ferr := s.frameOf(out, e.secret)
			if ferr != nil {
				err = ferr
				break
			}
			if ok {
				frames = append(frames, f)
			}
		}
		if err != nil {
			s.warn(e, err)
			return
		}
		s.confirmed(frames)
	}
}

// evalEvent evaluates an expression that sees $event; nil yields nothing.
func (s *session) evalEvent(e *expr, in, event any) ([]any, error) {
	if e == nil {
		return nil, nil
	}
	vars := s.vars()
	return e.run(in, append(vars[:len(vars):len(vars)], event))
}

// moveCursor moves the cursor behind an event. null leaves it where it is.
func (s *session) moveCursor(v, event any) {
	e := s.svc.recipe.cursor
	outputs, err := s.evalEvent(e, v, event)
	if err != nil {
		s.warn(e, err)
		return
	}
	if cursor := first(outputs); cursor != nil {
		before := s.svc.recipe.secretsIn(s.cursor)
		s.cursor, s.values = clone(cursor), nil
		s.movedTo(s.cursor)
		s.withhold(before, s.cursor)
	}
}

// inSequence takes the numbers of events, which rise by one.
func (s *session) inSequence(v any, events []any) {
	q := &s.svc.recipe.sequence
	if q.value == nil {
		return
	}
	for _, event := range events {
		n := sequence.Number{}
		if q.by != nil {
			outputs, err := s.evalEvent(q.by, v, event)
			if err == nil {
				n.By, err = sequence.NameOf(first(outputs))
			}
			if err != nil {
				s.warn(q.by, err)
				continue
			}
		}
		outputs, err := s.evalEvent(q.value, v, event)
		if err != nil {
			s.warn(q.value, err)
			continue
		}
		number := first(outputs)
		if number == nil {
			continue
		}
		var ok bool
		if n.Value, ok = sequence.ValueOf(number); !ok {
			s.warn(q.value, fmt.Errorf("expected an integer or null, not %s", typeOf(number)))
			continue
		}
		s.add(proto.Numbers{n})
	}
}

// redirected is an address that the server asks to reconnect to, if it may lead there.
func (s *session) redirected(target string) (string, error) {
	to, other, err := proto.Redirected(s.url, target, false)
	switch {
	case err != nil:
		return "", fmt.Errorf("reconnect: %w", err)
	case other && !s.svc.options.Redirects:
		return "", fmt.Errorf("reconnect: it leads to another origin, %s, which only -L allows", proto.BareAddress(to))
	}
	return to, nil
}
