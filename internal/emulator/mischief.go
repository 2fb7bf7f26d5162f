package emulator

import (
	"bytes"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// mischief applies a plan to a socket.
type mischief struct {
	Plan
	events int      // that were to be sent
	sent   int      // that were sent
	group  [][]byte // waiting to be reordered
	paused bool
	held   [][]byte // events during a pause
}

// Begin applies the faults before the first event.
func (s *Socket) Begin() (over bool) { return s.faults.proceed(s) }

// Event queues an event for the client, as changed by the plan.
func (s *Socket) Event(payload []byte) (over bool) {
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

// pass queues one event and runs the steps that follow it.
func (m *mischief) pass(s *Socket, payload []byte) (over bool) {
	m.events++
	if m.lose > 0 && m.events%m.lose == 0 {
		return false
	}
	if m.extra {
		payload = withMember(payload, `"emulated":{"by":["hark",null]}`)
	}
	for _, change := range m.changes {
		payload = change(payload)
	}
	copies := 1
	if m.duplicate > 0 && m.events%m.duplicate == 0 {
		copies = 2
	}
	for range copies {
		m.queue(s, payload)
	}
	m.sent++
	if s.Sent != nil {
		s.Sent(m.sent)
	}
	return m.proceed(s)
}

// proceed runs the steps that are due after the events that were sent.
func (m *mischief) proceed(s *Socket) (over bool) {
	for len(m.steps) > 0 && m.steps[0].after <= m.sent && !over {
		do := m.steps[0].do
		m.steps = m.steps[1:]
		over = do(s)
	}
	return over
}

// queue queues the frames of an event.
func (m *mischief) queue(s *Socket, payload []byte) {
	op := frame.OpText
	if m.binary {
		op = frame.OpBinary
	}
	if m.fragment <= 0 {
		s.Queue(op, payload)
		return
	}
	for first := true; first || len(payload) > 0; first = false {
		n := min(m.fragment, len(payload))
		s.ws.QueueFrame(frame.Header{Fin: n == len(payload), Opcode: op, Length: uint64(n)}, payload[:n])
		payload, op = payload[n:], frame.OpContinuation
	}
}

// pause delays events for d.
func (m *mischief) pause(s *Socket, d time.Duration) {
	m.paused = true
	s.Schedule(d, func() (over bool) {
		m.paused = false
		held := m.held
		m.held = nil
		for _, p := range held {
			over = over || s.Event(p)
		}
		return over || s.Flush() != nil
	})
}

// Pong answers a ping, control frame or message, as the plan requires.
func (s *Socket) Pong(op frame.Opcode, payload []byte) (over bool) {
	m := s.faults
	switch {
	case m.noPong:
		return false
	case m.delayPong > 0:
		s.Schedule(m.delayPong, func() bool { return s.Send(op, payload) != nil })
		return false
	}
	return s.Send(op, payload) != nil
}

// sendMasked writes a masked frame, which a server must not send (RFC 6455, section
// 5.1).
func (s *Socket) sendMasked(payload []byte) (over bool) {
	h := frame.Header{Fin: true, Opcode: frame.OpText, Masked: true, Mask: [4]byte{7, 11, 13, 17}, Length: uint64(len(payload))}
	frame.Mask(payload, h.Mask, 0)
	s.ws.QueueFrame(h, payload)
	return s.Flush() != nil
}

// sendGiant writes a message of n bytes without having it in memory.
func (s *Socket) sendGiant(n int) (over bool) {
	const head, tail = `{"giant":"`, `"}`
	n = max(n, len(head)+len(tail))
	s.ws.QueueFrame(frame.Header{Fin: true, Opcode: frame.OpText, Length: uint64(n)}, []byte(head))
	for rest := n - len(head) - len(tail); rest > 0; {
		some := min(rest, 64<<10)
		s.ws.QueueBytes(bytes.Repeat([]byte{'x'}, some))
		if rest -= some; s.Flush() != nil {
			return true
		}
	}
	s.ws.QueueBytes([]byte(tail))
	return s.Flush() != nil
}

// A timed is an action at a time.
type timed struct {
	at time.Time
	do func() (over bool)
}

// Schedule runs a function after d, on the goroutine of the socket's owner.
func (s *Socket) Schedule(d time.Duration, do func() (over bool)) {
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
func (s *Socket) arm() {
	switch {
	case len(s.timed) == 0:
		return
	case s.timer == nil:
		s.timer = time.NewTimer(time.Until(s.timed[0].at))
		s.Due = s.timer.C
	default:
		s.timer.Reset(time.Until(s.timed[0].at))
	}
}

// Elapsed runs what is due.
func (s *Socket) Elapsed() (over bool) {
	now := time.Now()
	for len(s.timed) > 0 && !s.timed[0].at.After(now) && !over {
		do := s.timed[0].do
		s.timed = s.timed[1:]
		over = do()
	}
	s.arm()
	return over
}

// withMember adds a first member to a JSON object.
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
