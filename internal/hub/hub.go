// Package hub implements an interactive WebSocket server: any number of clients, whose
// messages are reported with the number of the client, and to whom messages can be sent
// individually or all together.
package hub

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

// Options configure how clients are served. The zero value accepts messages of any size
// and reports nothing.
type Options struct {
	// Echo sends each message back to its sender.
	Echo bool
	// Subprotocols are the accepted subprotocols, in order of preference.
	Subprotocols []string
	// MaxMessage is the largest message that is accepted, in bytes; 0 for no limit.
	MaxMessage int64
	// Event is called for each event, one at a time. It may block, which delays
	// reading.
	Event func(Event)
}

// A Kind is the kind of an event.
type Kind int

const (
	// Connected: a client has connected, from Address and to Path.
	Connected Kind = iota
	// Message: a client has sent Data.
	Message
	// Gone: a client has disconnected. Code and Reason are those of its close frame;
	// Code is -1 if it sent none, and Reason is then its protocol violation, if any.
	Gone
)

// An Event is an event of a client.
type Event struct {
	Kind    Kind
	Client  int // from 1
	Time    time.Time
	Address string
	Path    string
	Binary  bool
	Data    []byte // valid during the call
	Code    int
	Reason  string
	Missed  int // messages it missed because it did not read; with Gone
}

// A Hub is an http.Handler that opens a WebSocket for every request.
type Hub struct {
	o Options

	report sync.Mutex // serializes calls of Event

	mu      sync.Mutex
	last    int
	clients map[int]*client
	closed  bool
	done    sync.WaitGroup // counts requests
}

// New returns a Hub.
func New(o Options) *Hub {
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	return &Hub{o: o, clients: make(map[int]*client)}
}

// ServeHTTP implements http.Handler.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// wsserver.Guard has checked the origin.
	ws, err := wsserver.Accept(w, r, h.o.Subprotocols, wsserver.Rules{MaxMessage: uint64(h.o.MaxMessage)})
	if err != nil {
		return // Accept has sent the response
	}
	if ws.Flush(wsserver.WriteTimeout) != nil {
		ws.Close()
		return
	}
	c := newClient(ws)
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		ws.Close()
		return
	}
	h.last++
	number := h.last
	h.clients[number] = c // before its event is reported, so that it can be written to
	h.done.Add(1)
	h.mu.Unlock()
	defer h.done.Done()

	h.event(Event{Kind: Connected, Client: number, Address: r.RemoteAddr, Path: r.URL.Path})
	var writer sync.WaitGroup
	writer.Go(c.write)
	err = h.read(number, c)
	h.mu.Lock()
	delete(h.clients, number)
	h.mu.Unlock()
	c.end()
	ws.Close()
	writer.Wait()
	c.pings.Wait()
	gone := Event{Kind: Gone, Client: number, Code: -1, Missed: c.missed}
	if ce, ok := errors.AsType[*closeError](err); ok {
		gone.Code, gone.Reason = ce.code, ce.reason
	} else if v, ok := errors.AsType[*wsserver.Violation](err); ok {
		gone.Reason = offence(v)
	}
	h.event(gone)
}

func (h *Hub) event(e Event) {
	h.report.Lock()
	defer h.report.Unlock()
	e.Time = time.Now()
	h.o.Event(e)
}

// offence returns the reason for disconnecting a client, if it is the client's error.
func offence(v *wsserver.Violation) string {
	switch v.Code {
	case frame.StatusTooBig:
		return "it sent a message that is too large"
	case frame.StatusInvalid:
		return "it sent a text message that is not UTF-8"
	}
	return ""
}

// A closeError is a close frame of the client.
type closeError struct {
	code   int
	reason string
}

func (e *closeError) Error() string { return "the client has closed the connection" }

// read reports the messages of a client until it disconnects.
func (h *Hub) read(number int, c *client) error {
	for {
		m, err := c.ws.Read()
		if v, ok := errors.AsType[*wsserver.Violation](err); ok {
			c.hangUp(frame.ClosePayload(v.Code, v.Text))
			if c.ws.CloseWrite(closePatience) {
				_, _ = io.Copy(io.Discard, c.ws.NetConn())
			}
		}
		if err != nil {
			return err
		}
		switch m.Opcode {
		case frame.OpPing:
			if err := c.send(frame.OpPong, m.Payload); err != nil {
				return err
			}
		case frame.OpPong:
			c.pong(string(m.Payload))
		case frame.OpClose:
			c.hangUp(m.Payload)
			code, reason := frame.ParseClose(m.Payload)
			return &closeError{code, reason}
		default:
			if h.o.Echo {
				// A client that does not read its echo is not read either.
				_ = c.put(outgoing{op: m.Opcode, data: m.Payload}, forever)
			}
			h.event(Event{Kind: Message, Client: number, Binary: m.Opcode == frame.OpBinary, Data: m.Payload})
		}
	}
}

// all returns the numbers that n stands for: itself, or with 0 those of all clients, in
// order; and the clients.
func (h *Hub) all(number int) ([]int, []*client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	numbers := []int{number}
	if number == 0 {
		numbers = h.numbers()
	}
	var list []*client
	for _, n := range numbers {
		c := h.clients[n]
		if c == nil {
			return nil, nil, fmt.Errorf("there is no client %d", n)
		}
		list = append(list, c)
	}
	return numbers, list, nil
}

func (h *Hub) numbers() []int { return slices.Sorted(maps.Keys(h.clients)) }

// Clients returns the numbers of the connected clients.
func (h *Hub) Clients() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.numbers()
}

// Send sends a message to a client, or with 0 to all. It waits for clients whose queue
// is full, but not for those that do not read: they miss it, and are in the error.
func (h *Hub) Send(to int, binary bool, data []byte) error {
	op := frame.OpText
	if binary {
		op = frame.OpBinary
	}
	return h.put(to, outgoing{op: op, data: data})
}

// Ping sends a ping; pong is called with the round-trip time.
func (h *Hub) Ping(to int, pong func(time.Duration, error)) error {
	return h.put(to, outgoing{op: frame.OpPing, pinged: pong})
}

// Disconnect closes the connection of a client, or with 0 of all.
func (h *Hub) Disconnect(to, code int, reason string) error {
	return h.put(to, outgoing{op: frame.OpClose, data: frame.ClosePayload(code, reason)})
}

func (h *Hub) put(to int, o outgoing) error {
	numbers, list, err := h.all(to)
	if err != nil {
		return err
	}
	var missed []string
	for i, c := range list {
		switch err := c.put(o, patience); {
		case err == errStuck:
			missed = append(missed, strconv.Itoa(numbers[i]))
		case err == errGone && to > 0:
			return fmt.Errorf("client %d is leaving", to)
		}
	}
	switch len(missed) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("client %s did not get it: it does not read", missed[0])
	}
	return fmt.Errorf("clients %s did not get it: they do not read", strings.Join(missed, ", "))
}

// Close sends a close frame to all clients, waits for them up to limit, and then closes
// the remaining connections.
func (h *Hub) Close(limit time.Duration) {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	_ = h.Disconnect(0, frame.StatusGoingAway, "")
	gone := make(chan struct{})
	go func() {
		h.done.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return
	case <-time.After(limit):
	}
	_, list, _ := h.all(0)
	for _, c := range list {
		c.ws.Close()
	}
	<-gone
}
