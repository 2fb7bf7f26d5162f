package emulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// serveSocket upgrades a request for the socket of a session and serves it.
func (o *octave) serveSocket(w http.ResponseWriter, r *http.Request, id string) {
	if fault := handshakeFault(r, ordinary().versions); fault != "" {
		octaveRefuse(w, http.StatusBadRequest, fault)
		return
	}
	faults, ok := o.faults.admit(w, r, Octave, false, octaveRefuse)
	if !ok {
		return
	}
	session, sub := o.attach(id)
	if session == nil {
		octaveRefuse(w, o.opts.UnknownSession, wire.OctaveNotFound)
		return
	}
	defer o.detach(id, session, sub)
	if r.Header.Get(FaultHeader) == "" {
		faults = session.faults
	}
	s, err := upgrade(o.ctx, w, r, ordinary(), faults)
	if err != nil {
		return
	}
	defer s.drop()
	(&octaveConn{octave: o, socket: s, access: session.access, sub: sub}).run()
}

// attach counts a socket in its session, or returns nil when the id is not, or
// no longer, valid.
func (o *octave) attach(id string) (*octaveSession, *octaveSubscriber) {
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
		sub = newOctaveSubscriber()
	}
	return s, sub
}

// detach ends the session with its last socket, or lets it wait for another.
func (o *octave) detach(id string, s *octaveSession, sub *octaveSubscriber) {
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

// An octaveConn is one socket.
type octaveConn struct {
	*octave
	socket *socket
	access octaveAccess
	sub    *octaveSubscriber
}

func (c *octaveConn) run() {
	idle := newDeadline(c.opts.Idle)
	defer idle.stop()
	for over := c.socket.begin(); !over; {
		select {
		case <-c.socket.due:
			over = c.socket.elapsed()
		case <-c.ctx.Done():
			c.socket.close(frame.StatusGoingAway, "")
			return
		case <-idle.C:
			c.socket.close(c.opts.IdleClose, "idle")
			return
		case f, ok := <-c.socket.frames:
			if !ok {
				c.socket.failed()
				return
			}
			idle.reset()
			over = c.receive(f)
		case <-c.sub.box.wake:
			over = c.push()
		}
	}
}

// push sends what has been published.
func (c *octaveConn) push() (over bool) {
	events, ok := c.sub.box.take()
	if !ok {
		return true
	}
	if slices.ContainsFunc(events, c.socket.event) {
		return true
	}
	return c.socket.flush() != nil
}

// receive handles one message of the client.
func (c *octaveConn) receive(f clientFrame) (over bool) {
	if f.opcode.Control() {
		return c.socket.control(f)
	}
	var req wire.OctaveRequest
	err := json.Unmarshal(f.payload, &req)
	if err == nil && req.Type == wire.OctaveTypeHeartbeat {
		if c.opts.HeartbeatReply == "" {
			return false
		}
		return c.socket.send(frame.OpText, []byte(c.opts.HeartbeatReply)) != nil
	}
	// A member of the wrong kind still leaves a msgId to answer to.
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !ok {
		return c.ack(req, http.StatusBadRequest, "the message is not JSON")
	}
	if err != nil {
		return c.ack(req, http.StatusBadRequest, "the message is not a request")
	}
	if c.opts.Strict && !isSubscription(req) {
		c.socket.close(frame.StatusPolicy, "undocumented request")
		return true
	}
	return c.subscription(req)
}

func isSubscription(req wire.OctaveRequest) bool {
	return req.Object == wire.OctaveObjectEvent &&
		(req.Type == wire.OctaveTypeSubscribe || req.Type == wire.OctaveTypeUnsubscribe)
}

// subscription handles subscribe and unsubscribe, and refuses the rest.
func (c *octaveConn) subscription(req wire.OctaveRequest) (over bool) {
	switch {
	case !isSubscription(req):
		return c.ack(req, http.StatusBadRequest, "only subscribe and unsubscribe are possible here, on the object event")
	case (req.StreamID == "") == (req.Path == ""):
		return c.ack(req, http.StatusBadRequest, "either streamId or path is required")
	}
	st := c.store.find(req.StreamID, req.Path)
	switch {
	case st == nil:
		return c.ack(req, http.StatusNotFound, wire.OctaveNotFound)
	case !c.access.mayRead(st):
		return c.ack(req, http.StatusForbidden, "no right to read this stream")
	case req.Type == wire.OctaveTypeUnsubscribe:
		c.store.unsubscribe(c.sub, st)
	default:
		c.store.subscribe(c.sub, st)
		c.live.open()
	}
	return c.ack(req, 0, "")
}

// ack answers a request: status 0 is success, whose documented form has no
// status.
func (c *octaveConn) ack(req wire.OctaveRequest, status int, text string) (over bool) {
	if req.MsgID == nil && c.opts.NeedMsgID {
		return false
	}
	head := wire.OctaveHead{MsgID: req.MsgID, OK: true, Errors: []string{}, Messages: []string{wire.OctaveProcessed}}
	if status != 0 {
		head = wire.OctaveHead{MsgID: req.MsgID, Status: status, Errors: []string{text}, Messages: []string{}}
	}
	body := json.RawMessage("{}")
	if c.socket.faults.ackNull {
		body = rawNull()
	}
	return c.socket.acknowledge(mustJSON(wire.OctaveAnswer{Head: &head, Body: body}), head.OK)
}
