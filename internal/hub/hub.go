// Package hub is a WebSocket server for people: any number of clients, whose
// messages are reported with the number of the client, and who can be written to
// one by one or all together.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Options say how clients are served. The zero value takes messages of any size and
// reports nothing.
type Options struct {
	// Echo sends each message back to who sent it.
	Echo bool
	// Subprotocols are those that are agreed to, in the order of preference.
	Subprotocols []string
	// MaxMessage is the largest message that is taken, in bytes; 0 is no limit.
	MaxMessage int64
	// Event is told what happens, one event at a time. It may block: then less is
	// read.
	Event func(Event)
}

// A Kind says what has happened.
type Kind int

const (
	// Connected: a client is there. Address and Path say where from and what for.
	Connected Kind = iota
	// Message: it has sent Data.
	Message
	// Gone: it has left. Code and Reason are those of its close frame; Code is -1 when
	// it sent none, and Reason then says what has happened.
	Gone
)

// An Event is something that a client has done.
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
}

// A Hub is an http.Handler that opens a WebSocket for every request.
type Hub struct {
	o Options

	report sync.Mutex // Event is called by one at a time

	mu      sync.Mutex
	last    int
	clients map[int]*client
	closed  bool
	done    sync.WaitGroup // a count for each request
}

// New makes a Hub.
func New(o Options) *Hub {
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	return &Hub{o: o, clients: make(map[int]*client)}
}

// maxQueue is how much may wait for a client that does not read, in bytes.
const maxQueue = 64 << 20

// A client is one connection.
type client struct {
	ws   *websocket.Conn
	wake chan struct{}

	mu     sync.Mutex
	queue  []outgoing
	bytes  int
	closed bool
}

type outgoing struct {
	typ    websocket.MessageType
	data   []byte
	code   websocket.StatusCode // not 0: a close frame, with data as its reason
	pinged func(time.Duration, error)
}

// ServeHTTP implements http.Handler.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       h.o.Subprotocols,
		InsecureSkipVerify: true, // pages of any origin may talk to it: it is for trying things out
	})
	if err != nil {
		return // Accept has answered
	}
	limit := h.o.MaxMessage
	if limit == 0 {
		limit = -1
	}
	ws.SetReadLimit(limit)
	c := &client{ws: ws, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		ws.CloseNow()
		return
	}
	h.last++
	number := h.last
	h.clients[number] = c // whoever learns of it can write to it
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
	ws.CloseNow()
	writer.Wait()
	gone := Event{Kind: Gone, Client: number, Code: int(websocket.CloseStatus(err)), Reason: err.Error()}
	if ce, ok := errors.AsType[websocket.CloseError](err); ok {
		gone.Reason = ce.Reason
	}
	h.event(gone)
}

func (h *Hub) event(e Event) {
	h.report.Lock()
	defer h.report.Unlock()
	e.Time = time.Now()
	h.o.Event(e)
}

// read reports the messages of a client until it is gone.
func (h *Hub) read(number int, c *client) error {
	for {
		typ, data, err := c.ws.Read(context.Background())
		if err != nil {
			return err
		}
		if h.o.Echo {
			c.put(outgoing{typ: typ, data: data})
		}
		h.event(Event{Kind: Message, Client: number, Binary: typ == websocket.MessageBinary, Data: data})
	}
}

// put queues a frame; false when the client is gone or does not read.
func (c *client) put(o outgoing) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.bytes+len(o.data) > maxQueue {
		return false
	}
	c.queue = append(c.queue, o)
	c.bytes += len(o.data)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

func (c *client) end() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued until the client is gone.
func (c *client) write() {
	for range c.wake {
		c.mu.Lock()
		queue, closed := c.queue, c.closed
		c.queue, c.bytes = nil, 0
		c.mu.Unlock()
		for _, o := range queue {
			switch {
			case o.code != 0:
				_ = c.ws.Close(o.code, string(o.data)) // the reader learns of it
				return
			case o.pinged != nil:
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				begun := time.Now()
				err := c.ws.Ping(ctx)
				cancel()
				o.pinged(time.Since(begun), err)
			default:
				if c.ws.Write(context.Background(), o.typ, o.data) != nil {
					return
				}
			}
		}
		if closed {
			return
		}
	}
}

// all are the clients that number means: one, or with 0 all, in their order.
func (h *Hub) all(number int) ([]*client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number == 0 {
		var list []*client
		for _, n := range h.numbers() {
			list = append(list, h.clients[n])
		}
		return list, nil
	}
	c := h.clients[number]
	if c == nil {
		return nil, fmt.Errorf("there is no client %d", number)
	}
	return []*client{c}, nil
}

func (h *Hub) numbers() []int {
	var list []int
	for n := range h.clients {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// Clients are the numbers of those that are there.
func (h *Hub) Clients() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.numbers()
}

// Send sends a message to a client, or with 0 to all. An error names the clients
// that did not take it.
func (h *Hub) Send(to int, binary bool, data []byte) error {
	typ := websocket.MessageText
	if binary {
		typ = websocket.MessageBinary
	}
	return h.put(to, outgoing{typ: typ, data: data})
}

// Ping sends a ping; pong is called with how long the answer took.
func (h *Hub) Ping(to int, pong func(time.Duration, error)) error {
	return h.put(to, outgoing{pinged: pong})
}

// Disconnect closes the connection of a client, or with 0 of all.
func (h *Hub) Disconnect(to, code int, reason string) error {
	return h.put(to, outgoing{code: websocket.StatusCode(code), data: []byte(reason)})
}

func (h *Hub) put(to int, o outgoing) error {
	list, err := h.all(to)
	if err != nil {
		return err
	}
	slow := 0
	for _, c := range list {
		if !c.put(o) {
			slow++
		}
	}
	if slow > 0 {
		return fmt.Errorf("%d of %d clients did not take it: they do not read", slow, len(list))
	}
	return nil
}

// Close says goodbye to all clients, waits for them up to limit, and then ends what
// is left.
func (h *Hub) Close(limit time.Duration) {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	_ = h.Disconnect(0, int(websocket.StatusGoingAway), "")
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
	list, _ := h.all(0)
	for _, c := range list {
		c.ws.CloseNow()
	}
	<-gone
}
