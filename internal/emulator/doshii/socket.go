package doshii

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

// A scope defines which events a socket gets.
type scope struct {
	pos      bool   // of a point of sale or of a vendor of them
	vendor   bool   // of all locations
	location string // of a point of sale
	device   string // of an app, "" for none
}

// A conn is one socket.
type conn struct {
	*server
	scope
	socket *emulator.Socket
	box    *emulator.Mailbox
}

// scope returns the scope of the credentials of a request.
func (d *server) scope(r *http.Request) (s scope, ok bool) {
	q := r.URL.Query()
	switch token := q.Get(wire.ParamToken); r.URL.Path {
	case wire.PathPOS:
		return scope{pos: true, location: DemoLocation}, token == LocationToken
	case wire.PathVendor:
		ok = checkJWT(token, time.Now(), true) == nil && q.Get(wire.ParamVendor) == Vendor
		return scope{pos: true, vendor: true}, ok
	}
	return scope{device: q.Get(wire.ParamDevice)}, d.appAuth(q.Get(wire.ParamAuth))
}

// serveSocket authenticates and upgrades.
func (d *server) serveSocket(w http.ResponseWriter, r *http.Request) {
	faults, ok := d.host.Admit(w, r, true, refuse)
	if !ok {
		return
	}
	scope, known := d.scope(r)
	switch fault := emulator.HandshakeFault(r, emulator.Ordinary().Versions); {
	case !known && d.opts.RefuseBy != "close":
		refuse(w, http.StatusUnauthorized, "invalid credentials")
		return
	case known && scope.device != "" && !d.hasDevice(scope.device):
		refuse(w, d.opts.UnknownDevice, "unknown device")
		return
	case fault != "":
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	c := &conn{server: d, scope: scope, box: emulator.NewMailbox()}
	// Before the response, so that nothing published after it is missed.
	if known && !d.enter(c) {
		refuse(w, http.StatusConflict, "the vendor is connected")
		return
	}
	s, err := d.host.Upgrade(w, r, emulator.Ordinary(), faults)
	if err == nil && known {
		c.socket = s
		d.host.Listening()
		c.run()
	} else if err == nil {
		s.Close(frame.StatusPolicy, "invalid credentials")
	}
	if known {
		d.leave(c)
	}
	if err == nil {
		s.Drop()
	}
}

func (d *server) hasDevice(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.devices, func(v wire.Device) bool { return v.DoshiiID == id })
}

// enter registers a socket for events, and sends those that were kept for it. A vendor
// has only one.
func (d *server) enter(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.vendor && d.connected(c.scope) {
		return false
	}
	now := time.Now()
	for _, k := range d.kept[c.scope] {
		if now.Sub(k.at) <= d.replay(c.scope) {
			c.box.Put(k.text)
		}
	}
	delete(d.kept, c.scope)
	d.conns[c] = struct{}{}
	return true
}

// leave removes a socket. If it was the last of its scope, events are kept for the next
// one.
func (d *server) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
	if d.replay(c.scope) > 0 && !d.connected(c.scope) {
		d.kept[c.scope] = nil
	}
}

func (d *server) connected(scope scope) bool {
	for c := range d.conns {
		if c.scope == scope {
			return true
		}
	}
	return false
}

// replay returns how long events are kept for a scope without a socket.
func (d *server) replay(scope scope) time.Duration {
	if scope.pos {
		return d.opts.ReplayPOS
	}
	return d.opts.ReplayApp
}

// A keptEvent waits for a socket to reconnect.
type keptEvent struct {
	at   time.Time
	text []byte
}

// keep stores an event for the scopes without a socket that receive it.
func (d *server) keep(e event, text []byte) {
	now := time.Now()
	for scope, kept := range d.kept {
		if !d.receives(scope, e) {
			continue
		}
		for len(kept) > 0 && (now.Sub(kept[0].at) > d.replay(scope) || len(kept) >= emulator.MailboxLimit) {
			kept = kept[1:]
		}
		d.kept[scope] = append(kept, keptEvent{now, text})
	}
}

func (c *conn) run() {
	idle := emulator.NewDeadline(c.opts.Idle)
	defer idle.Stop()
	first := emulator.NewDeadline(c.opts.FirstPing)
	defer first.Stop()
	pingEvery, checkEvery := c.opts.ServerPing, time.Duration(0)
	if c.pos {
		pingEvery, checkEvery = 0, c.opts.HealthCheck
	}
	ping, stop := emulator.Every(pingEvery)
	defer stop()
	check, stop := emulator.Every(checkEvery)
	defer stop()
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
		case <-first.C:
			c.socket.Close(c.opts.IdleClose, "no heartbeat")
			return
		case now := <-ping:
			over = c.say(wire.Ping(now, apiVersion))
		case now := <-check:
			over = c.say(c.envelope(event{
				name: "health_check", payload: emulator.MustJSON(object{"ping": now.UnixMilli()}),
			}))
		case f, ok := <-c.socket.Frames:
			if !ok {
				c.socket.Failed()
				return
			}
			idle.Reset()
			over = c.receive(f, first)
		case <-c.box.Wake:
			over = c.push()
		}
	}
}

func (c *conn) push() (over bool) {
	events, ok := c.box.Take()
	if !ok {
		return true
	}
	if slices.ContainsFunc(events, c.socket.Event) {
		return true
	}
	return c.socket.Flush() != nil
}

func (c *conn) say(v any) (over bool) {
	return c.socket.Send(frame.OpText, emulator.MustJSON(v)) != nil
}

// pong answers a heartbeat, unless a fault prevents it.
func (c *conn) pong(v any) (over bool) { return c.socket.Pong(frame.OpText, emulator.MustJSON(v)) }

// receive handles one message of the client: pings are answered, pongs and invalid
// messages are ignored.
func (c *conn) receive(f emulator.ClientFrame, first *emulator.Deadline) (over bool) {
	if f.Opcode.Control() {
		return c.socket.Control(f)
	}
	if !json.Valid(f.Payload) {
		if c.opts.Malformed != 0 {
			c.socket.Close(c.opts.Malformed, "malformed message")
			return true
		}
		return false
	}
	var legacy string
	if json.Unmarshal(f.Payload, &legacy) == nil {
		if ms, ok := strings.CutPrefix(legacy, wire.PrimusPing); ok {
			first.Stop()
			return c.pong(wire.PrimusPong + ms)
		}
		return false
	}
	var m wire.Heartbeat
	if json.Unmarshal(f.Payload, &m) != nil || m.Doshii.Ping == nil {
		return false
	}
	first.Stop()
	switch c.opts.Pong {
	case "clock":
		return c.pong(wire.Pong(emulator.RawInt(time.Now().UnixMilli()), apiVersion))
	case "bare":
		return c.pong(wire.Pong(m.Doshii.Ping, ""))
	}
	return c.pong(wire.Pong(m.Doshii.Ping, apiVersion))
}
