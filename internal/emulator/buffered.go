package emulator

import (
	"net"
	"sync"
	"time"
)

const (
	// sendBuffer is the size of the buffer between writer and reader of a connection of
	// a Network, in bytes, like the send buffer of a TCP connection.
	sendBuffer = 64 << 10
	// lingerTime is the time limit for sending buffered data after Close.
	lingerTime = time.Second
)

// A bufferedConn is an end of a net.Pipe whose writes do not wait for the reader.
// Without a buffer, two ends that answer each other's ping would deadlock, unlike on a
// real network.
type bufferedConn struct {
	net.Conn
	wake, room chan struct{} // of capacity 1

	mu     sync.Mutex
	buf    []byte
	closed bool
	err    error // of the pump
}

// newBufferedConn wraps c and starts the pump with start, which must join it.
func newBufferedConn(c net.Conn, start func(func())) *bufferedConn {
	b := &bufferedConn{Conn: c, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	start(b.pump)
	return b
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write implements net.Conn. It blocks only while the buffer is full.
func (b *bufferedConn) Write(p []byte) (n int, err error) {
	for {
		b.mu.Lock()
		if b.closed {
			err = net.ErrClosed
		} else if err = b.err; err == nil {
			m := min(len(p)-n, sendBuffer-len(b.buf))
			b.buf = append(b.buf, p[n:n+m]...)
			n += m
		}
		b.mu.Unlock()
		poke(b.wake)
		if err != nil || n == len(p) {
			poke(b.room) // for another waiting writer
			return n, err
		}
		<-b.room
	}
}

// Close implements net.Conn. Buffered data is still sent.
func (b *bufferedConn) Close() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	poke(b.wake)
	poke(b.room)
	return b.Conn.SetDeadline(time.Now().Add(lingerTime))
}

// pump copies buffered data to the reader until the connection is closed.
func (b *bufferedConn) pump() {
	defer b.Conn.Close()
	for {
		b.mu.Lock()
		p, closed := b.buf, b.closed
		b.buf = nil
		b.mu.Unlock()
		poke(b.room)
		if len(p) == 0 {
			if closed {
				return
			}
			<-b.wake
			continue
		}
		if _, err := b.Conn.Write(p); err != nil {
			b.mu.Lock()
			b.err, b.buf = err, nil
			b.mu.Unlock()
			poke(b.room)
			if closed {
				return
			}
		}
	}
}
