package output

import (
	"bytes"
	"io"
	"os"
)

// A Pipe writes to a pipe that other processes may write to at the same time, as in
// "(hark … & hark …) | reader", and keeps records whole: a write to a pipe that is
// larger than what the system writes at once comes apart, and so do the writes of a
// record that takes several. What one call of Write gets, and what is written between
// Hold and Release, goes under a lock that all writers like this one take. Where there
// is no such lock, no write is larger than what the system keeps together, and ends
// with a line, if one fits. It is for one goroutine.
//
// A Write waits for the lock as it waits for the reader; anyone who can leave the one can
// leave the other.
type Pipe struct {
	f      *os.File
	lock   *pipeLock // nil when there is none
	opened bool      // lock is as it will be
	locked bool
	held   bool // not to be unlocked after a write
	grown  bool // the pipe has been made larger
}

// NewPipe returns a Pipe that writes to f.
func NewPipe(f *os.File) *Pipe { return &Pipe{f: f} }

// File returns what is written to.
func (p *Pipe) File() *os.File { return p.f }

// pipeAtomic is how many bytes a system writes to a pipe at once, which POSIX calls
// PIPE_BUF: that of Linux.
const pipeAtomic = 4096

// Write implements io.Writer. The error is ErrStdoutClosed or a *WriteError.
func (p *Pipe) Write(b []byte) (int, error) {
	n, err := p.write(b)
	if err != nil {
		err = WriteFailure(err)
	}
	return n, err
}

func (p *Pipe) write(b []byte) (int, error) {
	if !p.opened { // late, because most commands print little
		p.lock, p.opened = newPipeLock(p.f), true
	}
	if p.lock == nil {
		return writePieces(p.f, b)
	}
	if !p.locked {
		if err := p.lock.lock(); err != nil {
			p.lock = nil
			return writePieces(p.f, b)
		}
		p.locked = true
	}
	n, err := p.f.Write(b)
	if !p.held || err != nil {
		p.unlock()
	}
	return n, err
}

// Hold keeps what is written until Release together.
func (p *Pipe) Hold() {
	p.held = true
	if !p.grown {
		// A pipe of the usual size holds one full buffer, so that the rest of the record,
		// often a few bytes, would wait for the reader and wake it once more.
		p.grown = true
		growPipe(p.f, 2*bufferSize)
	}
}

// Release ends Hold.
func (p *Pipe) Release() {
	p.held = false
	p.unlock()
}

func (p *Pipe) unlock() {
	if p.locked {
		p.locked = false
		p.lock.unlock()
	}
}

// writePieces writes b in pieces of at most pipeAtomic bytes, which end with a line
// where one ends in them.
func writePieces(w io.Writer, b []byte) (written int, err error) {
	for len(b) > 0 {
		n := len(b)
		if n > pipeAtomic {
			n = pipeAtomic
			if i := bytes.LastIndexAny(b[:n], "\n\x00"); i >= 0 {
				n = i + 1
			}
		}
		m, err := w.Write(b[:n])
		written += m
		if err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}

// A holder is a writer that keeps several writes together: Pipe.
type holder interface {
	Hold()
	Release()
}
