package octave

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// serveSocket upgrades a request for the socket of a session and serves it.
func (o *server) serveSocket(w http.ResponseWriter, r *http.Request, id string) {
	if fault := emulator.HandshakeFault(r, emulator.Ordinary().Versions); fault != "" {
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	faults, ok := o.host.Admit(w, r, false, refuse)
	if !ok {
		return
	}
	session, sub := o.attach(id)
	if session == nil {
		refuse(w, o.opts.UnknownSession, wire.NotFound)
		return
	}
	defer o.detach(id, session, sub)
	if r.Header.Get(emulator.FaultHeader) == "" {
		faults = session.faults
	}
	s, err := o.host.Upgrade(w, r, emulator.Ordinary(), faults)
	if err != nil {
		return
	}
	defer s.Drop()
	c := &conn{server: o, socket: s, access: session.access, sub: sub, trouble: *emulator.Own[trouble](&faults)}
	s.Sent = c.eventSent
	c.run()
}

// attach adds a socket to its session, or returns nil if the id is invalid or expired.
func (o *server) attach(id string) (*session, *subscriber) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
	s := o.sessions[id]
	if s == nil || s.sockets > 0 && o.opts.Strict {
		return nil, nil
	}
	s.sockets++
	sub := s.parked
	s.parked = nil
	if sub == nil {
		sub = newSubscriber()
	}
	return s, sub
}

// detach removes a socket. With the last one the session ends, or waits for another.
func (o *server) detach(id string, s *session, sub *subscriber) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.sockets--
	switch {
	case s.sockets > 0:
		o.store.leave(sub)
	case o.opts.Grace > 0:
		s.parked = sub
		s.wait(o.opts.Grace)
	default:
		o.store.leave(sub)
		o.end(id, s)
	}
}

// A conn is one socket.
type conn struct {
	*server
	socket *emulator.Socket
	access access
	sub    *subscriber

	trouble trouble
	sent    int      // events
	acks    [][]byte // waiting for an event
}

func (c *conn) run() {
	idle := emulator.NewDeadline(c.opts.Idle)
	defer idle.Stop()
	for over := c.socket.Begin(); !over; {
		select {
		case <-c.socket.Due:
			over = c.socket.Elapsed()
		case <-c.host.Context().Done():
			c.socket.Close(frame.StatusGoingAway, "")
			return
		case <-idle.C:
			c.socket.Close(c.opts.IdleClose, "idle")
			return
		case f, ok := <-c.socket.Frames:
			if !ok {
				c.socket.Failed()
				return
			}
			idle.Reset()
			over = c.receive(f)
		case <-c.sub.box.Wake:
			over = c.push()
		}
	}
}

// push sends published events.
func (c *conn) push() (over bool) {
	events, ok := c.sub.box.Take()
	if !ok {
		return true
	}
	if slices.ContainsFunc(events, c.socket.Event) {
		return true
	}
	return c.socket.Flush() != nil
}

// receive handles one message of the client.
func (c *conn) receive(f emulator.ClientFrame) (over bool) {
	if f.Opcode.Control() {
		return c.socket.Control(f)
	}
	var req wire.Request
	err := json.Unmarshal(f.Payload, &req)
	if err == nil && req.Type == wire.TypeHeartbeat {
		if c.opts.HeartbeatReply == "" {
			return false
		}
		return c.socket.Send(frame.OpText, []byte(c.opts.HeartbeatReply)) != nil
	}
	// A member of the wrong type still leaves a msgId for the response.
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !ok {
		return c.ack(req, http.StatusBadRequest, "the message is not JSON")
	}
	if err != nil {
		return c.ack(req, http.StatusBadRequest, "the message is not a request")
	}
	if c.opts.Strict && !isSubscription(req) {
		c.socket.Close(frame.StatusPolicy, "undocumented request")
		return true
	}
	return c.subscription(req)
}

func isSubscription(req wire.Request) bool {
	return req.Object == wire.ObjectEvent &&
		(req.Type == wire.TypeSubscribe || req.Type == wire.TypeUnsubscribe)
}

// subscription handles subscribe and unsubscribe, and refuses other requests.
func (c *conn) subscription(req wire.Request) (over bool) {
	switch {
	case !isSubscription(req):
		return c.ack(req, http.StatusBadRequest, "only subscribe and unsubscribe are possible here, on the object event")
	case (req.StreamID == "") == (req.Path == ""):
		return c.ack(req, http.StatusBadRequest, "either streamId or path is required")
	}
	st := c.store.find(req.StreamID, req.Path)
	switch {
	case st == nil:
		return c.ack(req, http.StatusNotFound, wire.NotFound)
	case !c.access.mayRead(st):
		return c.ack(req, http.StatusForbidden, "no right to read this stream")
	case req.Type == wire.TypeUnsubscribe:
		c.store.unsubscribe(c.sub, st)
	default:
		c.store.subscribe(c.sub, st)
		c.host.Listening()
	}
	return c.ack(req, 0, "")
}

// ack answers a request: status 0 is success, whose documented form has no
// status.
func (c *conn) ack(req wire.Request, status int, text string) (over bool) {
	if req.MsgID == nil && c.opts.NeedMsgID {
		return false
	}
	head := wire.Head{MsgID: req.MsgID, OK: true, Errors: []string{}, Messages: []string{wire.Processed}}
	if status != 0 {
		head = wire.Head{MsgID: req.MsgID, Status: status, Errors: []string{text}, Messages: []string{}}
	}
	body := json.RawMessage("{}")
	if c.trouble.ackNull {
		body = emulator.RawNull()
	}
	return c.acknowledge(emulator.MustJSON(wire.Answer{Head: &head, Body: body}), head.OK)
}
