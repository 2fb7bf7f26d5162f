package wsconn

import (
	"net"
	"sync"
	"time"
)

// A meter tracks since when data that has arrived may be unread. It observes the reads
// of a connection below TLS, because a read above TLS shows little about the socket.
//
// A read that waits began when the socket was empty, and one that returns less than its
// buffer has emptied it. Either shows that all data that had arrived when it began has
// been read, but the second only if the connection was still open then: its end may
// follow directly. The time at which a read returns shows nothing, because the process
// may have been stopped before.
//
// If nothing was read for some time, the peer's socket is full, too, and an empty local
// one shows nothing until the peer has caught up: a read has waited long, or catchUp
// has passed, or more has arrived than the capacity of all buffers between.
type meter struct {
	mu      sync.Mutex
	began   time.Time // of the current read; zero between reads
	ended   time.Time // of the last one
	short   time.Time // when the last one began, if it did not fill its buffer
	drained time.Time
	ticked  time.Time // of the last tick
	resumed time.Time // when a stall ended
	bytes   int       // read in total
	stall   mark      // the oldest that has not caught up
}

// A mark is a time, and how many bytes had been read then.
type mark struct {
	at    time.Time // zero for none
	bytes int
}

// TickInterval is the interval of ticks of a connection: see State.Next.
const TickInterval = time.Second

const (
	// waited is the minimum duration of a read that has waited for data.
	waited = 20 * time.Millisecond
	// prompt is the maximum duration of a read that finds data.
	prompt = time.Millisecond
	// stallTime is how long nothing must be read for a stall.
	stallTime = 250 * time.Millisecond
	// catchUp is the time, and onTheWay the number of bytes, after which the data that
	// the peer had in its socket during a stall has arrived.
	catchUp  = 5 * time.Second
	onTheWay = 64 << 20
)

func newMeter(now time.Time) *meter { return &meter{ended: now, drained: now, ticked: now} }

// begin is called before a read, and end after it: it returned n of size bytes.
func (m *meter) begin(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.ended) >= stallTime {
		m.resume(m.ended, now)
	}
	m.began = now
}

// resume records that reads resume, after a stall that began at from.
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

// drain records that all data that had arrived at a time has been read.
func (m *meter) drain(at time.Time) {
	if at.After(m.drained) {
		m.drained = at
	}
	m.stall = mark{}
}

// tick is called about every TickInterval while the process runs: a read that has
// waited since the last tick had nothing to read then.
func (m *meter) tick(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.began.IsZero() && !m.began.After(m.ticked) {
		m.drain(m.ticked)
	}
	m.ticked = now
}

// read sets the fields of s that the meter tracks.
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

// Metered adds a meter to a connection below TLS, where Dial finds it.
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
