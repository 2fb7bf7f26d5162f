package octave

import (
	"encoding/json"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// A trouble is the state of the faults of Octave.
type trouble struct {
	ackDelay       time.Duration
	ackAfter       int
	ackNull        bool
	sessionExpired bool
}

func faults() []emulator.Fault {
	return []emulator.Fault{
		{Name: "ack-delay", Argument: "DURATION", Meaning: "delay acknowledgments",
			Add: func(p *emulator.Plan, a *emulator.Argument) { emulator.Own[trouble](p).ackDelay = a.Duration() }},
		{Name: "ack-after", Argument: "[N]", Meaning: "acknowledge a subscription after N events; default: 1",
			Add: func(p *emulator.Plan, a *emulator.Argument) { emulator.Own[trouble](p).ackAfter = a.AtLeast(1, 1) }},
		{Name: "ack-null", Meaning: "acknowledge with null as body",
			Add: func(p *emulator.Plan, _ *emulator.Argument) { emulator.Own[trouble](p).ackNull = true }},
		{Name: "absent", Meaning: "omit the optional members of events",
			Add: func(p *emulator.Plan, _ *emulator.Argument) { p.Change(withoutOptional) }},
		{Name: "session-expired", Meaning: "treat the session id as expired when the socket is opened",
			Add: func(p *emulator.Plan, _ *emulator.Argument) { emulator.Own[trouble](p).sessionExpired = true }},
	}
}

// acknowledge sends an acknowledgment, at the time set by the faults.
func (c *conn) acknowledge(ack []byte, success bool) (over bool) {
	switch {
	case c.trouble.ackAfter > c.sent && success:
		c.acks = append(c.acks, ack)
		return false
	case c.trouble.ackDelay > 0:
		c.socket.Schedule(c.trouble.ackDelay, func() bool { return c.socket.Send(frame.OpText, ack) != nil })
		return false
	}
	return c.socket.Send(frame.OpText, ack) != nil
}

// eventSent queues the acknowledgments that wait for that number of events.
func (c *conn) eventSent(n int) {
	c.sent = n
	if c.trouble.ackAfter > 0 && n == c.trouble.ackAfter {
		for _, a := range c.acks {
			c.socket.Queue(frame.OpText, a)
		}
		c.acks = nil
	}
}

// withoutOptional removes all optional members of an event.
func withoutOptional(payload []byte) []byte {
	var m wire.Message
	var e wire.Event
	if json.Unmarshal(payload, &m) != nil || m.Value == nil || json.Unmarshal(m.Value, &e) != nil {
		return payload
	}
	m.Value = emulator.MustJSON(wire.Event{
		CreationDate: e.CreationDate, Elems: e.Elems, ID: e.ID, Path: e.Path, StreamID: e.StreamID,
	})
	return emulator.MustJSON(m)
}
