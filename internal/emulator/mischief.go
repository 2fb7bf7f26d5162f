package emulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// mischief carries a plan out on a socket.
type mischief struct {
	plan
	events int      // that came to be sent
	sent   int      // that were sent
	group  [][]byte // waiting to be reordered
	paused bool
	held   [][]byte // events that came in a pause
	acks   [][]byte // waiting for an event
}

// begin does what the plan wants before the first event.
func (s *socket) begin() (over bool) { return s.faults.proceed(s) }

// event queues an event for the client, with what the plan makes of it.
func (s *socket) event(payload []byte) (over bool) {
	m := s.faults
	switch {
	case m.paused:
		m.held = append(m.held, payload)
		return false
	case m.reorder > 1:
		if m.group = append(m.group, payload); len(m.group) < m.reorder {
			return false
		}
		slices.Reverse(m.group)
		for _, p := range m.group {
			over = over || m.pass(s, p)
		}
		m.group = nil
		return over
	}
	return m.pass(s, payload)
}

// pass queues one event and takes the steps that follow it.
func (m *mischief) pass(s *socket, payload []byte) (over bool) {
	m.events++
	if m.lose > 0 && m.events%m.lose == 0 {
		return false
	}
	if m.extra {
		payload = withMember(payload, `"emulated":{"by":["hark",null]}`)
	}
	if m.absent {
		payload = withoutOptional(payload)
	}
	copies := 1
	if m.duplicate > 0 && m.events%m.duplicate == 0 {
		copies = 2
	}
	for range copies {
		m.queue(s, payload)
	}
	m.sent++
	if m.ackAfter > 0 && m.sent == m.ackAfter {
		for _, a := range m.acks {
			s.queue(frame.OpText, a)
		}
		m.acks = nil
	}
	return m.proceed(s)
}

// proceed takes the steps that are due after the events that were sent.
func (m *mischief) proceed(s *socket) (over bool) {
	for len(m.steps) > 0 && m.steps[0].after <= m.sent && !over {
		do := m.steps[0].do
		m.steps = m.steps[1:]
		over = do(s)
	}
	return over
}

// queue adds the frames of an event to what goes out.
func (m *mischief) queue(s *socket, payload []byte) {
	op := frame.OpText
	if m.binary {
		op = frame.OpBinary
	}
	if m.fragment <= 0 {
		s.queue(op, payload)
		return
	}
	for first := true; first || len(payload) > 0; first = false {
		n := min(m.fragment, len(payload))
		s.out = frame.AppendHeader(s.out, frame.Header{Fin: n == len(payload), Opcode: op, Length: uint64(n)})
		s.out = append(s.out, payload[:n]...)
		payload, op = payload[n:], frame.OpContinuation
	}
}

// pause holds events back for d.
func (m *mischief) pause(s *socket, d time.Duration) {
	m.paused = true
	s.schedule(d, func() (over bool) {
		m.paused = false
		held := m.held
		m.held = nil
		for _, p := range held {
			over = over || s.event(p)
		}
		return over || s.flush() != nil
	})
}

// acknowledge sends an acknowledgement, at the time that the plan wants.
func (s *socket) acknowledge(ack []byte, success bool) (over bool) {
	m := s.faults
	switch {
	case m.ackAfter > m.sent && success:
		m.acks = append(m.acks, ack)
		return false
	case m.ackDelay > 0:
		s.schedule(m.ackDelay, func() bool { return s.send(frame.OpText, ack) != nil })
		return false
	}
	return s.send(frame.OpText, ack) != nil
}

// pong answers a ping, control frame or message, as the plan wants.
func (s *socket) pong(op frame.Opcode, payload []byte) (over bool) {
	m := s.faults
	switch {
	case m.noPong:
		return false
	case m.delayPong > 0:
		s.schedule(m.delayPong, func() bool { return s.send(op, payload) != nil })
		return false
	}
	return s.send(op, payload) != nil
}

// sendMasked writes a frame that a server must not send (RFC 6455, section 5.1).
func (s *socket) sendMasked(payload []byte) (over bool) {
	h := frame.Header{Fin: true, Opcode: frame.OpText, Masked: true, Mask: [4]byte{7, 11, 13, 17}, Length: uint64(len(payload))}
	s.out = frame.AppendHeader(s.out, h)
	frame.Mask(payload, h.Mask, 0)
	s.out = append(s.out, payload...)
	return s.flush() != nil
}

// sendGiant writes a message of n bytes without ever holding it.
func (s *socket) sendGiant(n int) (over bool) {
	const head, tail = `{"giant":"`, `"}`
	n = max(n, len(head)+len(tail))
	s.out = frame.AppendHeader(s.out, frame.Header{Fin: true, Opcode: frame.OpText, Length: uint64(n)})
	s.out = append(s.out, head...)
	for rest := n - len(head) - len(tail); rest > 0; {
		some := min(rest, 64<<10)
		s.out = append(s.out, bytes.Repeat([]byte{'x'}, some)...)
		if rest -= some; s.flush() != nil {
			return true
		}
	}
	s.out = append(s.out, tail...)
	return s.flush() != nil
}

// A timed is something to do at a time.
type timed struct {
	at time.Time
	do func() (over bool)
}

// schedule does something after d, in the goroutine of the socket's owner.
func (s *socket) schedule(d time.Duration, do func() (over bool)) {
	at := time.Now().Add(d)
	i, _ := slices.BinarySearchFunc(s.timed, at, func(t timed, at time.Time) int {
		if t.at.After(at) {
			return 1
		}
		return -1 // after those of the same time
	})
	s.timed = slices.Insert(s.timed, i, timed{at, do})
	s.arm()
}

// arm sets the timer whose channel is s.due.
func (s *socket) arm() {
	switch {
	case len(s.timed) == 0:
		return
	case s.timer == nil:
		s.timer = time.NewTimer(time.Until(s.timed[0].at))
		s.due = s.timer.C
	default:
		s.timer.Reset(time.Until(s.timed[0].at))
	}
}

// elapsed does what is due.
func (s *socket) elapsed() (over bool) {
	now := time.Now()
	for len(s.timed) > 0 && !s.timed[0].at.After(now) && !over {
		do := s.timed[0].do
		s.timed = s.timed[1:]
		over = do()
	}
	s.arm()
	return over
}

// withMember adds a member to a JSON object, in front.
func withMember(object []byte, member string) []byte {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(object), []byte("{"))
	if !ok {
		return object
	}
	if !bytes.HasPrefix(bytes.TrimSpace(rest), []byte("}")) {
		member += ","
	}
	return slices.Concat([]byte("{"+member), rest)
}

// withoutOptional leaves everything out of an event of Octave that may be absent.
func withoutOptional(payload []byte) []byte {
	var m wire.OctaveMessage
	var e wire.OctaveEvent
	if json.Unmarshal(payload, &m) != nil || m.Value == nil || json.Unmarshal(m.Value, &e) != nil {
		return payload
	}
	m.Value = mustJSON(wire.OctaveEvent{
		CreationDate: e.CreationDate, Elems: e.Elems, ID: e.ID, Path: e.Path, StreamID: e.StreamID,
	})
	return mustJSON(m)
}
