package recipe

import (
	"fmt"
	"math"
	"time"

	"github.com/hark-cli/hark/proto"
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
		s.send(frames)
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
		s.withhold(before, s.cursor)
	}
}

// A sequenceState is the last number of a sequence on a connection.
type sequenceState struct {
	value float64
	at    time.Time
}

// inSequence looks at the numbers of events, which rise by one.
func (s *session) inSequence(v any, events []any) {
	q := &s.svc.recipe.sequence
	if q.value == nil {
		return
	}
	for _, event := range events {
		name := ""
		if outputs, err := s.evalEvent(q.by, v, event); err != nil {
			s.warn(q.by, err)
			return
		} else if name, err = key(first(outputs)); err != nil {
			return
		}
		outputs, err := s.evalEvent(q.value, v, event)
		if err != nil {
			s.warn(q.value, err)
			return
		}
		n, ok := number(first(outputs))
		if !ok || n != math.Trunc(n) {
			continue
		}
		s.compare(name, n)
	}
}

// compare compares the number of an event with the last one of its sequence.
func (s *session) compare(name string, n float64) {
	last, known := s.sequences[name]
	if s.sequences == nil {
		s.sequences = make(map[string]sequenceState)
	}
	if known || len(s.sequences) < maxSequences {
		s.sequences[name] = sequenceState{n, s.now}
	}
	of := ""
	if s.svc.recipe.sequence.by != nil {
		of = " of " + proto.Excerpt([]byte(name))
	}
	switch {
	case !known || n == last.value+1:
	case n > last.value:
		reason := fmt.Sprintf("the sequence%s goes from %.0f to %.0f", of, last.value, n)
		s.add(proto.GapReports{{From: last.at, To: s.now, Reason: reason}})
	case n == last.value:
		s.add(proto.Warning(fmt.Sprintf("event %.0f of the sequence%s has come again", n, of)))
	default:
		s.add(proto.Warning(fmt.Sprintf("the sequence%s steps back from %.0f to %.0f", of, last.value, n)))
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
