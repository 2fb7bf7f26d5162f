package recipe

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A message is one message as the rules see it.
type message struct {
	data   []byte // nil when value is all there is
	binary bool
	whole  bool // it is all of a WebSocket message, and is printed as it came
	// value is the message as a value when known is true: in parts, at first.
	value    any
	known    bool
	complete bool
}

// Decode implements proto.Session.
func (s *session) Decode(m proto.Message) (event bool, _ []proto.Effect, err error) {
	s.begin(m.Time)
	s.heard = m.Time
	c := &s.svc.recipe.connect
	if c.framing.separator == "" && c.unwrap == nil {
		event, err = s.message(&message{data: m.Data, binary: m.Binary, whole: true})
	} else {
		err = s.parts(m)
	}
	s.emit()
	s.marked()
	return event, s.effects, err
}

// parts looks at what a WebSocket message contains.
func (s *session) parts(m proto.Message) error {
	c := &s.svc.recipe.connect
	for part := range bytes.SplitSeq(m.Data, []byte(c.framing.separator)) {
		if c.framing.separator == "" { // which would split between characters
			part = m.Data
		}
		if len(part) == 0 && c.framing.separator != "" {
			continue
		}
		if err := s.part(&message{data: part, binary: m.Binary}); err != nil {
			return err
		}
		if c.framing.separator == "" {
			break
		}
	}
	return nil
}

// part looks at one message after framing.
func (s *session) part(m *message) error {
	unwrap := s.svc.recipe.connect.unwrap
	if unwrap == nil {
		_, err := s.message(m)
		return err
	}
	v, err := s.all(m)
	var outputs []any
	if err == nil {
		outputs, err = s.eval(unwrap, v)
	}
	if err != nil {
		s.warn(unwrap, err)
		_, err := s.unhandled(m)
		return err
	}
	for _, v := range outputs {
		if _, err := s.message(&message{value: v, known: true, complete: true}); err != nil {
			return err
		}
	}
	return nil
}

// decode makes a value of the parts of a message that sel names; nil is all.
func (s *session) decode(d *eventjson.Decoder, m *message, sel *eventjson.Selection) (any, error) {
	if m.binary || s.svc.recipe.connect.framing.text {
		return eventjson.MessageValue(m.data, m.binary), nil
	}
	d.Limit = valueMemory * s.svc.recipe.maxValue
	v, err := d.DecodeSelected(m.data, sel)
	if errors.Is(err, eventjson.ErrTooLarge) {
		return nil, errors.New("the message has too many values")
	}
	if err != nil {
		return eventjson.MessageValue(m.data, false), nil
	}
	return v, nil
}

// valueMemory is how much more memory the value of a message may take than the longest
// message.
const valueMemory = 4

// look returns the message as the conditions of the rules need it.
func (s *session) look(m *message) (any, error) {
	if m.known {
		return m.value, nil
	}
	v, err := s.decode(&s.decoder, m, s.svc.match.conditions)
	if err != nil {
		return nil, err
	}
	m.value, m.known, m.complete = v, true, s.svc.match.conditions == nil
	return v, nil
}

// all returns the message as a whole.
func (s *session) all(m *message) (any, error) {
	if m.known && m.complete {
		return m.value, nil
	}
	v, err := s.decode(&s.whole, m, nil)
	if err == nil {
		m.value, m.known, m.complete = v, true, true
	}
	return v, err
}

// forRule returns what the expressions of a rule need of the message.
func (s *session) forRule(m *message, i int) (any, error) {
	r := &s.svc.match.rules[i]
	switch {
	case m.known && (m.complete || s.svc.match.merged), r.nothing:
		return m.value, nil
	case r.needs == nil:
		return s.all(m)
	}
	return s.decode(&s.whole, m, r.needs)
}

// message has the rules look at a message. event: it is an event as it came.
func (s *session) message(m *message) (event bool, err error) {
	v, err := s.look(m)
	if err != nil {
		if !s.quiet("message") {
			s.add(proto.Warning(fmt.Sprintf("recipe %s: %v", s.svc.recipe.Name, err)))
		}
		return s.unhandled(m)
	}
	s.replies(v)
	for i := range s.svc.recipe.rules {
		if s.holds(i, v) {
			return s.apply(i, m)
		}
	}
	return s.unhandled(m)
}

// holds reports whether the condition of a rule is true.
func (s *session) holds(i int, v any) bool {
	e := s.svc.recipe.rules[i].when
	if e.program == nil {
		return truth(e.constant)
	}
	if holds, ok := e.program.True(v); ok {
		return holds
	}
	outputs, err := s.eval(e, v)
	if err != nil {
		if !s.quiet(e.name) {
			s.add(proto.Note(fmt.Sprintf("%s: %v", e.name, err)))
		}
		return false
	}
	return anyTrue(outputs)
}

// unhandled is for a message that no rule takes.
func (s *session) unhandled(m *message) (event bool, err error) {
	if s.svc.recipe.connect.ignore {
		s.add(ignoredNote)
		return false, nil
	}
	if !m.whole {
		if err := s.produceMessage(m); err != nil {
			return false, nil
		}
	}
	s.after(m, s.svc.match.unhandled, nil)
	return m.whole, nil
}

var ignoredNote proto.Effect = proto.Note("message ignored: no rule takes it")

// produceMessage makes an event of all of a message.
func (s *session) produceMessage(m *message) error {
	v, err := s.all(m)
	if err != nil {
		return err
	}
	return s.produce(v)
}

// produce makes an event of a value.
func (s *session) produce(v any) error {
	start := len(s.buffer)
	b, err := eventjson.AppendValue(s.buffer, v)
	if err != nil {
		return err
	}
	s.buffer = b
	s.produced = append(s.produced, proto.Message{Data: b[start:len(b):len(b)], Time: s.now})
	return nil
}

// emit gives out the events that were produced.
func (s *session) emit() {
	if len(s.produced) == 0 {
		return
	}
	if !s.live {
		s.live = true
		s.add(proto.StreamLive{})
	}
	s.add(proto.Events(s.produced))
}

// outcome is what the expressions of a rule yield for a message.
type outcome struct {
	state   map[string]any
	bytes   int
	changed bool
	frames  proto.Send
	awaited []string
	acked   []string
	calls   []call
	ready   bool
	resumed bool
	event   bool  // the message as it came
	made    bool  // events
	events  []any // those, for what comes after them
	failure *failure
	next    *string // the address of a connection that is to replace this one; "" for that of the recipe
}

// apply does what a rule says. Nothing of it happens when one of its expressions fails:
// then no rule takes the message.
func (s *session) apply(i int, m *message) (event bool, err error) {
	u := &s.svc.recipe.rules[i]
	v, err := s.forRule(m, i)
	if err != nil {
		s.warn(u.when, err)
		return s.unhandled(m)
	}
	state, bytes := s.state, s.bytes
	var o outcome
	if e, err := s.outcome(i, v, m, &o); err != nil {
		s.state, s.bytes, s.values = state, bytes, nil
		s.warn(e, err)
		return s.unhandled(m)
	}
	if o.changed {
		changed, size := s.state, s.bytes
		s.state, s.bytes = state, bytes
		s.adopt(changed, size)
	}
	s.send(o.frames)
	if u.await != nil {
		s.await(o.awaited)
	}
	s.acknowledge(o.acked)
	s.calls = append(s.calls, o.calls...)
	if o.resumed {
		s.add(proto.Resumed{})
	}
	if o.ready {
		s.becomeReady()
	}
	if o.changed {
		s.restartTimers()
	}
	if o.event || o.made {
		s.after(m, s.svc.match.rules[i].after, o.events)
	} else if o.failure == nil {
		s.add(s.svc.match.rules[i].note)
	}
	if o.next != nil {
		s.add(s.successor(*o.next))
	}
	if o.failure != nil {
		if o.failure.class == proto.Transient && o.failure.again && o.failure.text == freshText {
			s.forget()
			s.movedTo(nil)
		}
		if o.failure.class == proto.Done && !s.live {
			s.live = true
			s.add(proto.StreamLive{}) // nothing more is awaited
		}
		return o.event, o.failure
	}
	return o.event, nil
}

// outcome evaluates the expressions of a rule. Of an error, it says in which.
func (s *session) outcome(i int, v any, m *message, o *outcome) (e *expr, err error) {
	u := &s.svc.recipe.rules[i]
	if u.set != nil {
		outputs, err := s.eval(u.set, v)
		if err == nil && len(outputs) > 0 {
			o.changed = true
			o.state, o.bytes, err = s.merged(outputs)
		}
		if err != nil {
			return u.set, err
		}
		if o.changed {
			s.state, s.bytes, s.values = o.state, o.bytes, nil
		}
	}
	if o.frames, err = s.frames(u.send, v); err != nil {
		return u.send, err
	}
	if o.awaited, err = s.ids(u.await, v); err != nil {
		return u.await, err
	}
	if o.acked, err = s.ids(u.ack, v); err != nil {
		return u.ack, err
	}
	if err = s.requested(u.request, v, o); err != nil {
		return u.request, err
	}
	if o.ready, err = s.isTrue(u.ready, v); err != nil {
		return u.ready, err
	}
	if o.resumed, err = s.isTrue(u.resumed, v); err != nil {
		return u.resumed, err
	}
	if u.event != nil {
		if err = s.events(i, v, m, o); err != nil {
			return u.event, err
		}
	}
	if u.fail != nil {
		if o.failure, err = judged(u.fail, u.message, v, s.vars()); err != nil {
			return u.fail, err
		}
	}
	if u.reconnect != nil && o.failure == nil {
		if err = s.reconnects(u.reconnect, v, o); err != nil {
			return u.reconnect, err
		}
	}
	return nil, nil
}

func (s *session) isTrue(e *expr, v any) (bool, error) {
	outputs, err := s.eval(e, v)
	return anyTrue(outputs), err
}

// requested are the requests of a rule.
func (s *session) requested(e *expr, v any, o *outcome) error {
	outputs, err := s.eval(e, v)
	if err != nil {
		return err
	}
	for _, v := range outputs {
		if v == nil {
			continue
		}
		c, err := callOf(e, v)
		if err != nil {
			return err
		}
		o.calls = append(o.calls, c)
	}
	if len(s.calls)+len(o.calls) > maxCalls {
		return fmt.Errorf("more than %d requests wait", maxCalls)
	}
	return nil
}

// events are the events that a rule makes of a message.
func (s *session) events(i int, v any, m *message, o *outcome) error {
	u := &s.svc.recipe.rules[i]
	if m.whole && s.svc.match.rules[i].identity {
		o.event = true
		return nil
	}
	if s.svc.match.rules[i].identity {
		all, err := s.all(m)
		if err != nil {
			return err
		}
		v = all
	}
	if p := u.event.program; p != nil {
		if out, ok := p.One(v); ok { // most rules: a member
			if out == nil {
				return nil
			}
			o.made = true
			if s.svc.match.rules[i].after.any {
				o.events = append(o.events, out)
			}
			return s.produce(out)
		}
	}
	outputs, err := s.eval(u.event, v)
	if err != nil {
		return err
	}
	made, start := len(s.produced), len(s.buffer)
	for _, v := range outputs {
		if v == nil {
			continue
		}
		if err := s.produce(v); err != nil {
			s.produced, s.buffer = s.produced[:made], s.buffer[:start]
			return err
		}
		o.events, o.made = append(o.events, v), true
	}
	return nil
}

const (
	freshText  = "the service asks for a new session"
	resumeText = "the service asks to reconnect"
)

// reconnects is what a rule makes by asking for a new connection.
func (s *session) reconnects(e *expr, v any, o *outcome) error {
	outputs, err := s.eval(e, v)
	if err != nil {
		return err
	}
	switch target := first(outputs).(type) {
	case nil:
	case bool:
		if target {
			return errors.New(wrongReconnect)
		}
	case string:
		switch target {
		case "resume":
			o.failure = &failure{class: proto.Transient, again: true, text: resumeText}
		case "new":
			o.failure = &failure{class: proto.Transient, again: true, text: freshText}
		case "overlap":
			o.next = new(string)
		default:
			if target, err = s.redirected(target); err != nil {
				return err
			}
			o.next = &target
		}
	default:
		return fmt.Errorf("%s, not %s", wrongReconnect, typeOf(target))
	}
	return nil
}

const wrongReconnect = `expected "new", "resume", "overlap" or an address`
