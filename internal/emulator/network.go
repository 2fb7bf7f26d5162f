package emulator

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Base is the address of a handler on a Network. Its host name is reserved (RFC 2606),
// so that nothing reaches a real network by mistake.
const Base = "http://hark-emulator.invalid"

// A Network serves a handler to clients in the same process, without a port:
// client and server are joined by net.Pipe. It works inside a testing/synctest
// bubble.
type Network struct {
	server *http.Server
	conns  chan net.Conn
	ctx    context.Context
	cancel context.CancelFunc
	served sync.WaitGroup
}

// NewNetwork starts serving h. The caller must Close it, which does not close h.
func NewNetwork(h http.Handler) *Network {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Network{
		server: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: time.Minute,
			// Clients report their own errors.
			ErrorLog: log.New(io.Discard, "", 0),
		},
		conns:  make(chan net.Conn),
		ctx:    ctx,
		cancel: cancel,
	}
	n.served.Go(func() { _ = n.server.Serve(pipeListener{n}) })
	return n
}

// DialContext has the signature of net.Dialer.DialContext and connects to the
// handler, whatever the address.
func (n *Network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	var err error
	select {
	case n.conns <- server:
		return client, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-n.ctx.Done():
		err = net.ErrClosed
	}
	return nil, &net.OpError{Op: "dial", Net: network, Addr: pipeAddr{}, Err: errors.Join(err, client.Close(), server.Close())}
}

// Close stops the server and closes its connections, except those that the handler has
// hijacked: an Emulator closes those in its own Close.
func (n *Network) Close() error {
	n.cancel()
	err := n.server.Close()
	n.served.Wait()
	return err
}

// A pipeListener accepts the connections of DialContext.
type pipeListener struct{ n *Network }

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.n.conns:
		return newBufferedConn(c, l.n.served.Go), nil
	case <-l.n.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "emulator" }
