package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// A doshiiConn is one socket of an app or of a point of sale.
type doshiiConn struct {
	*doshii
	socket   *socket
	box      *mailbox
	pos      bool
	location string // of a point of sale
	device   string // of an app, "" for none
}

// serveSocket authenticates and upgrades.
func (d *doshii) serveSocket(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c := &doshiiConn{doshii: d, box: newMailbox(), pos: r.URL.Path == wire.DoshiiPathPOS}
	refused := false
	if c.pos {
		c.location = DemoLocation
		refused = q.Get(wire.DoshiiParamToken) != DoshiiLocationToken
	} else {
		c.device = q.Get(wire.DoshiiParamDevice)
		refused = !d.appAuth(q.Get(wire.DoshiiParamAuth))
	}
	if refused && d.opts.RefuseBy != "close" {
		doshiiRefuse(w, http.StatusUnauthorized, "invalid credentials")
		return
	}
	if c.device != "" && !refused && !d.hasDevice(c.device) {
		doshiiRefuse(w, d.opts.UnknownDevice, "unknown device")
		return
	}
	if fault := handshakeFault(r, ordinary().versions); fault != "" {
		doshiiRefuse(w, http.StatusBadRequest, fault)
		return
	}
	if !refused {
		// Before the answer, so that nothing published after it is missed.
		d.enter(c)
		defer d.leave(c)
	}
	s, err := upgrade(d.ctx, w, r, ordinary())
	if err != nil {
		return
	}
	defer s.drop()
	if refused {
		s.close(wire.StatusPolicy, "invalid credentials")
		return
	}
	c.socket = s
	c.run()
}

func (d *doshii) hasDevice(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.devices, func(v wire.DoshiiDevice) bool { return v.DoshiiID == id })
}

func (d *doshii) enter(c *doshiiConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns[c] = struct{}{}
}

func (d *doshii) leave(c *doshiiConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

func (c *doshiiConn) run() {
	idle := newDeadline(c.opts.Idle)
	defer idle.stop()
	first := newDeadline(c.opts.FirstPing)
	defer first.stop()
	pingEvery, checkEvery := c.opts.ServerPing, time.Duration(0)
	if c.pos {
		pingEvery, checkEvery = 0, c.opts.HealthCheck
	}
	ping, stop := every(pingEvery)
	defer stop()
	check, stop := every(checkEvery)
	defer stop()
	for over := false; !over; {
		select {
		case <-c.ctx.Done():
			c.socket.close(wire.StatusGoingAway, "")
			return
		case <-idle.C:
			c.socket.close(c.opts.IdleClose, "idle")
			return
		case <-first.C:
			c.socket.close(c.opts.IdleClose, "no heartbeat")
			return
		case now := <-ping:
			over = c.say(wire.DoshiiPing(now, doshiiAPIVersion))
		case now := <-check:
			over = c.say(c.envelope(doshiiEvent{
				name: "health_check", payload: mustJSON(object{"ping": now.UnixMilli()}),
			}))
		case f, ok := <-c.socket.frames:
			if !ok {
				c.socket.failed()
				return
			}
			idle.reset()
			over = c.receive(f, first)
		case <-c.box.wake:
			over = c.push()
		}
	}
}

func (c *doshiiConn) push() (over bool) {
	events, ok := c.box.take()
	if !ok {
		return true
	}
	for _, e := range events {
		c.socket.queue(wire.OpText, e)
	}
	return c.socket.flush() != nil
}

func (c *doshiiConn) say(v any) (over bool) {
	return c.socket.send(wire.OpText, mustJSON(v)) != nil
}

// receive handles one message of the client: pings are answered, pongs and what
// cannot be understood are ignored.
func (c *doshiiConn) receive(f frame, first *deadline) (over bool) {
	if f.opcode.Control() {
		return c.socket.control(f)
	}
	if !json.Valid(f.payload) {
		if c.opts.Malformed != 0 {
			c.socket.close(c.opts.Malformed, "malformed message")
			return true
		}
		return false
	}
	var legacy string
	if json.Unmarshal(f.payload, &legacy) == nil {
		if ms, ok := strings.CutPrefix(legacy, wire.DoshiiPrimusPing); ok {
			first.stop()
			return c.say(wire.DoshiiPrimusPong + ms)
		}
		return false
	}
	var m wire.DoshiiHeartbeat
	if json.Unmarshal(f.payload, &m) != nil || m.Doshii.Ping == nil {
		return false
	}
	first.stop()
	switch c.opts.Pong {
	case "clock":
		return c.say(wire.DoshiiPong(rawInt(time.Now().UnixMilli()), doshiiAPIVersion))
	case "bare":
		return c.say(wire.DoshiiPong(m.Doshii.Ping, ""))
	}
	return c.say(wire.DoshiiPong(m.Doshii.Ping, doshiiAPIVersion))
}
