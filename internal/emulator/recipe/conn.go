package recipe

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto/frame"
)

// A conn is one connection.
type conn struct {
	*server
	socket *emulator.Socket
	box    *emulator.Mailbox // an empty event for each tick

	steps   []transcript.Step // of the case, from its # open on
	at      int               // the next of them
	liveAt  int               // where it begins again
	live    bool
	awaited []*transcript.Step // of which each is awaited
	repeat  []*transcript.Step // what is sent when it is live
	turn    int                // the next of those
}

// upgrade opens a socket and serves it until it ends.
func (s *server) upgrade(w http.ResponseWriter, r *http.Request, faults emulator.Plan) {
	rules := emulator.Ordinary()
	if fault := emulator.HandshakeFault(r, rules.Versions); fault != "" {
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	rules.Subprotocol, _, _ = strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	socket, err := s.host.Upgrade(w, r, rules, faults)
	if err != nil {
		return
	}
	defer socket.Drop()
	c := &conn{server: s, socket: socket, box: emulator.NewMailbox()}
	defer c.leave()
	c.prepare()
	c.run()
}

// prepare finds what the connection plays.
func (c *conn) prepare() {
	for i, step := range c.server.live.Steps {
		if step.Kind == transcript.Open {
			c.steps, c.liveAt = c.server.live.Steps[i+1:], max(c.server.live.Live-i-1, 0)
			break
		}
	}
	said := false // by the client, just before
	for i := c.liveAt; i < len(c.steps); i++ {
		switch step := &c.steps[i]; step.Kind {
		case transcript.Send:
			said = true
		case transcript.Serve:
			if !said {
				c.repeat = append(c.repeat, step)
			}
		default:
			said = false
		}
	}
}

func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, c)
}

func (c *conn) run() {
	over := c.socket.Begin() || c.proceed()
	for !over {
		select {
		case <-c.socket.Due:
			over = c.socket.Elapsed()
		case <-c.host.Context().Done():
			c.socket.Close(frame.StatusGoingAway, "")
			return
		case f, ok := <-c.socket.Frames:
			if !ok {
				c.socket.Failed()
				return
			}
			over = c.receive(f)
		case <-c.box.Wake:
			over = c.tick()
		}
	}
}

// proceed plays the case as far as it goes without the client.
func (c *conn) proceed() (over bool) {
	for ; c.at < len(c.steps) && !c.live; c.at++ {
		if c.at == c.liveAt {
			c.begin()
			return false
		}
		switch step := &c.steps[c.at]; step.Kind {
		case transcript.Send:
			c.awaited = append(c.awaited, step)
			if c.at+1 < c.liveAt && c.steps[c.at+1].Kind == transcript.Send {
				continue
			}
			c.at++
			return false
		case transcript.Serve:
			if c.serve(step) {
				return true
			}
		case transcript.Close:
			c.socket.Close(step.Code, step.Reason)
			return true
		case transcript.Cut:
			return true
		}
	}
	return false
}

// begin lets the connection have the events.
func (c *conn) begin() {
	c.live = true
	c.mu.Lock()
	c.conns[c] = struct{}{}
	c.mu.Unlock()
	c.host.Listening()
}

// tick sends the next message, once for each tick that has come.
func (c *conn) tick() (over bool) {
	ticks, ok := c.box.Take()
	if !ok || len(c.repeat) == 0 {
		return !ok
	}
	for range ticks {
		step := c.repeat[c.turn]
		c.turn = (c.turn + 1) % len(c.repeat)
		if step.Binary {
			c.socket.Queue(frame.OpBinary, step.Data)
		} else if c.socket.Event(c.framing.Frame(step.Data, false)) {
			return true
		}
	}
	return c.socket.Flush() != nil
}

// serve sends a message.
func (c *conn) serve(step *transcript.Step) (over bool) {
	if step.Binary {
		return c.socket.Send(frame.OpBinary, step.Data) != nil
	}
	return c.socket.Send(frame.OpText, c.framing.Frame(step.Data, false)) != nil
}

// receive looks at what the client sends.
func (c *conn) receive(f emulator.ClientFrame) (over bool) {
	if f.Opcode.Control() {
		return c.socket.Control(f)
	}
	binary := f.Opcode == frame.OpBinary
	for _, m := range c.framing.Split(f.Payload, binary) {
		if c.message(c.framing.Value(m, binary)) {
			return true
		}
	}
	return false
}

// message answers a message.
func (c *conn) message(value any) (over bool) {
	for i, step := range c.awaited {
		if !c.matches(step, value) {
			continue
		}
		if c.awaited = append(c.awaited[:i:i], c.awaited[i+1:]...); len(c.awaited) == 0 {
			return c.proceed()
		}
		return false
	}
	for _, played := range c.cases() {
		if answers, ok := c.answers(played, value); ok {
			return slices.ContainsFunc(answers, c.serve)
		}
	}
	reason := "the transcript has no > for this message"
	if len(c.awaited) > 0 {
		reason = "the transcript awaits: " + c.awaited[0].Text
	}
	c.socket.Close(frame.StatusPolicy, reason)
	return true
}

// answers are the messages that follow a message of the client in a case; ok is false if
// the case has none like it.
func (c *conn) answers(played *transcript.Case, value any) (list []*transcript.Step, ok bool) {
	for i := range played.Steps {
		step := &played.Steps[i]
		switch {
		case step.Kind == transcript.Send:
			if len(list) > 0 {
				return list, true
			}
			ok = ok || c.matches(step, value)
		case ok && step.Kind == transcript.Serve:
			list = append(list, step)
		case ok:
			return list, true
		}
	}
	return list, ok
}
