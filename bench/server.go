package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

// A server is the load server: it answers the opening handshake, writes what it is
// told, and closes. It is a few lines above the socket so that it limits no client.
type server struct {
	plain, secure net.Listener
	// conns takes the connections that have made their handshake.
	conns chan *conn
}

// A conn is one client after its handshake.
type conn struct {
	net.Conn
	ws       *wsserver.Conn
	deflated bool // permessage-deflate was agreed on
}

// listen starts the server on two free ports, the second with TLS.
func listen(cert tls.Certificate) (*server, error) {
	s := &server{conns: make(chan *conn)}
	var err error
	if s.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	if s.secure, err = tls.Listen("tcp", "127.0.0.1:0", config); err != nil {
		s.plain.Close()
		return nil, err
	}
	for _, l := range []net.Listener{s.plain, s.secure} {
		go s.accept(l)
	}
	return s, nil
}

func (s *server) close() {
	s.plain.Close()
	s.secure.Close()
}

func (s *server) url(secure bool) string {
	if secure {
		return "wss://" + s.secure.Addr().String() + "/"
	}
	return "ws://" + s.plain.Addr().String() + "/"
}

func (s *server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			ws, err := handshake(c)
			if err != nil {
				c.Close()
				return
			}
			s.conns <- ws
		}()
	}
}

// handshake answers the opening handshake (RFC 6455, section 4.2.2).
func handshake(c net.Conn) (*conn, error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, err
	}
	if req.Header.Get("Sec-WebSocket-Key") == "" {
		return nil, errors.New("no key")
	}
	// What a client sends compressed is not looked at.
	ws := &conn{Conn: c, ws: wsserver.NewConn(c, r, wsserver.Rules{Reserved: true})}
	header := ""
	if strings.Contains(req.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		ws.deflated = true
		header = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
	}
	_, err = c.Write(wsserver.Answer(req, header))
	_ = c.SetDeadline(time.Time{})
	return ws, err
}

// patience is how long the server waits for what must come at once.
const patience = 20 * time.Second

// next returns the next client.
func (s *server) next() (*conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("no client has connected within %s", patience)
	}
}

// stream writes n messages of l, in large blocks.
func (c *conn) stream(l *load, n int) error {
	for n > 0 {
		for i := 0; i < len(l.messages) && n > 0; {
			k := 1
			for i+k < len(l.messages) && k < n && l.ends[i+k]-l.ends[i] < blockSize {
				k++
			}
			if _, err := c.Write(l.cut(i, k)); err != nil {
				return err
			}
			i += k
			n -= k
		}
	}
	return nil
}

// finish makes the closing handshake and waits until the client is gone.
func (c *conn) finish() {
	defer c.Close()
	c.ws.Queue(frame.OpClose, frame.ClosePayload(frame.StatusNormal, ""))
	_ = c.ws.Flush(patience)
	_ = c.SetReadDeadline(time.Now().Add(10 * patience)) // the client may have much to do yet
	for {
		if h, _, err := c.ws.ReadFrame(); err != nil || h.Opcode == frame.OpClose {
			return
		}
	}
}
