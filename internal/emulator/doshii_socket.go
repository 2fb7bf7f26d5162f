package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/wire"
)

// A doshiiScope says what a socket gets.
type doshiiScope struct {
	pos      bool   // of a point of sale or of a vendor of them
	vendor   bool   // of all locations
	location string // of a point of sale
	device   string // of an app, "" for none
}

// A doshiiConn is one socket.
type doshiiConn struct {
	*doshii
	doshiiScope
	socket *socket
	box    *mailbox
}

// scope reads the credentials of a request.
func (d *doshii) scope(r *http.Request) (s doshiiScope, ok bool) {
	q := r.URL.Query()
	switch token := q.Get(wire.DoshiiParamToken); r.URL.Path {
	case wire.DoshiiPathPOS:
		return doshiiScope{pos: true, location: DemoLocation}, token == DoshiiLocationToken
	case wire.DoshiiPathVendor:
		ok = doshiiJWT(token, time.Now(), true) == nil && q.Get(wire.DoshiiParamVendor) == DoshiiVendor
		return doshiiScope{pos: true, vendor: true}, ok
	}
	return doshiiScope{device: q.Get(wire.DoshiiParamDevice)}, d.appAuth(q.Get(wire.DoshiiParamAuth))
}

// serveSocket authenticates and upgrades.
func (d *doshii) serveSocket(w http.ResponseWriter, r *http.Request) {
	faults, ok := d.faults.admit(w, r, Doshii, true, doshiiRefuse)
	if !ok {
		return
	}
	scope, known := d.scope(r)
	switch fault := handshakeFault(r, ordinary().versions); {
	case !known && d.opts.RefuseBy != "close":
		doshiiRefuse(w, http.StatusUnauthorized, "invalid credentials")
		return
	case known && scope.device != "" && !d.hasDevice(scope.device):
		doshiiRefuse(w, d.opts.UnknownDevice, "unknown device")
		return
	case fault != "":
		doshiiRefuse(w, http.StatusBadRequest, fault)
		return
	}
	c := &doshiiConn{doshii: d, doshiiScope: scope, box: newMailbox()}
	// Before the answer, so that nothing published after it is missed.
	if known && !d.enter(c) {
		doshiiRefuse(w, http.StatusConflict, "the vendor is connected")
		return
	}
	s, err := upgrade(d.ctx, w, r, ordinary(), faults)
	if err == nil && known {
		c.socket = s
		d.live.open()
		c.run()
	} else if err == nil {
		s.close(frame.StatusPolicy, "invalid credentials")
	}
	if known {
		d.leave(c)
	}
	if err == nil {
		s.drop()
	}
}

func (d *doshii) hasDevice(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.devices, func(v wire.DoshiiDevice) bool { return v.DoshiiID == id })
}

// enter lets a socket have events from now on, and those that were kept for it.
// A vendor has only one.
func (d *doshii) enter(c *doshiiConn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.vendor && d.connected(c.doshiiScope) {
		return false
	}
	now := time.Now()
	for _, k := range d.kept[c.doshiiScope] {
		if now.Sub(k.at) <= d.replay(c.doshiiScope) {
			c.box.put(k.text)
		}
	}
	delete(d.kept, c.doshiiScope)
	d.conns[c] = struct{}{}
	return true
}

// leave begins to keep events for the next socket of the same scope, if this was
// the last.
func (d *doshii) leave(c *doshiiConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
	if d.replay(c.doshiiScope) > 0 && !d.connected(c.doshiiScope) {
		d.kept[c.doshiiScope] = nil
	}
}

func (d *doshii) connected(scope doshiiScope) bool {
	for c := range d.conns {
		if c.doshiiScope == scope {
			return true
		}
	}
	return false
}

// replay is for how long events are kept for a scope without a socket.
func (d *doshii) replay(scope doshiiScope) time.Duration {
	if scope.pos {
		return d.opts.ReplayPOS
	}
	return d.opts.ReplayApp
}

// A keptEvent waits for a socket to come back.
type keptEvent struct {
	at   time.Time
	text []byte
}

// keep stores an event for those scopes without a socket that want it.
func (d *doshii) keep(e doshiiEvent, text []byte) {
	now := time.Now()
	for scope, kept := range d.kept {
		if !d.wants(scope, e) {
			continue
		}
		for len(kept) > 0 && (now.Sub(kept[0].at) > d.replay(scope) || len(kept) >= mailboxLimit) {
			kept = kept[1:]
		}
		d.kept[scope] = append(kept, keptEvent{now, text})
	}
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
	if slices.ContainsFunc(events, c.socket.event) {
		return true
	}
	return c.socket.flush() != nil
}

func (c *doshiiConn) say(v any) (over bool) {
	return c.socket.send(frame.OpText, mustJSON(v)) != nil
}

// pong answers a heartbeat, unless a fault wants otherwise.
func (c *doshiiConn) pong(v any) (over bool) { return c.socket.pong(frame.OpText, mustJSON(v)) }

// receive handles one message of the client: pings are answered, pongs and what
// cannot be understood are ignored.
func (c *doshiiConn) receive(f clientFrame, first *deadline) (over bool) {
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
			return c.pong(wire.DoshiiPrimusPong + ms)
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
		return c.pong(wire.DoshiiPong(rawInt(time.Now().UnixMilli()), doshiiAPIVersion))
	case "bare":
		return c.pong(wire.DoshiiPong(m.Doshii.Ping, ""))
	}
	return c.pong(wire.DoshiiPong(m.Doshii.Ping, doshiiAPIVersion))
}
