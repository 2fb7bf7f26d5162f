package wsconn

import (
	"net"
	"sync"
	"time"
)

// A meter knows since when what has arrived may be unread. It watches the reads of a
// connection below TLS, because a read above it says little of the socket.
//
// A read that waits began when nothing had arrived, and one that brings less than it
// could take has emptied the socket. Either shows that all that had arrived when it
// began is read, but the second only if the connection was still open then: the end
// of it may come right behind. The time at which a read returns shows nothing,
// because the process may have been stopped before it.
//
// When nothing was read for some time, the peer's socket is full, too, and an empty
// one on our side shows nothing until that has caught up: a read has waited for long,
// or catchUp is over, or more has come than all buffers on the way can hold.
type meter struct {
	mu      sync.Mutex
	began   time.Time // of the read that is under way; zero between two
	ended   time.Time // of the last one
	short   time.Time // when the last one began, if it did not fill its buffer
	drained time.Time
	ticked  time.Time // of the last tick
	resumed time.Time // when a long time without a read was over
	bytes   int       // read, in all
	stall   mark      // the oldest that has not caught up
}

// A mark is a time, and how many bytes had been read then.
type mark struct {
	at    time.Time // zero for none
	bytes int
}

// TickInterval is the time between two looks at a connection: see State.Next.
const TickInterval = time.Second

const (
	// waited is how long a read takes at least that has waited for data.
	waited = 20 * time.Millisecond
	// prompt is how long a read takes at most that finds something.
	prompt = time.Millisecond
	// stallTime is how long nothing may be read before it counts.
	stallTime = 250 * time.Millisecond
	// catchUp is the time, and onTheWay the number of bytes, after which what the
	// peer had in its socket when reading stalled has arrived.
	catchUp  = 5 * time.Second
	onTheWay = 64 << 20
)

func newMeter(now time.Time) *meter { return &meter{ended: now, drained: now, ticked: now} }

// begin is called before a read, and end after it: it brought n bytes of size.
func (m *meter) begin(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.ended) >= stallTime {
		m.resume(m.ended, now)
	}
	m.began = now
}

// resume notes that reading goes on, after a stall that began at from.
func (m *meter) resume(from, now time.Time) {
	m.resumed, m.short = now, time.Time{}
	if m.stall.at.IsZero() {
		m.stall = mark{from, m.bytes}
	}
}

func (m *meter) end(now time.Time, n, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += n
	took := now.Sub(m.began)
	if now.Sub(m.ticked) >= 2*TickInterval { // the process was stopped
		m.resume(m.began, now)
	}
	switch {
	case took >= TickInterval:
		m.drain(m.began)
	case now.Sub(m.resumed) >= catchUp:
		if n > 0 && !m.short.IsZero() { // it was still open
			m.drain(m.short)
		}
		if took >= waited {
			m.drain(m.began)
		}
	case m.bytes-m.stall.bytes >= onTheWay:
		m.drain(m.stall.at)
	}
	m.short = time.Time{}
	if n > 0 && n < size {
		m.short = m.began
	}
	m.began, m.ended = time.Time{}, now
}

// drain notes that all is read that had arrived at a time.
func (m *meter) drain(at time.Time) {
	if at.After(m.drained) {
		m.drained = at
	}
	m.stall = mark{}
}

// tick is called about every TickInterval while the process runs: a read that has
// waited since the last time had nothing to read then.
func (m *meter) tick(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.began.IsZero() && !m.began.After(m.ticked) {
		m.drain(m.ticked)
	}
	m.ticked = now
}

// read sets what of s the meter knows.
func (m *meter) read(now time.Time, s *State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Drained, s.Resumed = m.drained, m.resumed
	s.Stalled = m.began.IsZero() && now.Sub(m.ended) >= stallTime
	s.Unread = m.began.IsZero() || now.Sub(m.began) < prompt
}

// A meteredConn is a connection with a meter.
type meteredConn struct {
	net.Conn
	*meter
}

// Metered puts a meter onto a connection below TLS, which Dial finds there.
func Metered(conn net.Conn) net.Conn { return &meteredConn{conn, newMeter(time.Now())} }

// Read implements net.Conn.
func (c *meteredConn) Read(p []byte) (int, error) {
	c.begin(time.Now())
	n, err := c.Conn.Read(p)
	c.end(time.Now(), n, len(p))
	return n, err
}

// meterOf returns the meter below a connection, or nil.
func meterOf(conn net.Conn) *meter {
	for {
		switch c := conn.(type) {
		case *meteredConn:
			return c.meter
		case interface{ NetConn() net.Conn }: // TLS, or a connection to a proxy
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
