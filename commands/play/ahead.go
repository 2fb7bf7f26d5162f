package play

import (
	"iter"

	"github.com/hark-cli/hark/proto"
)

const (
	// batches is how many batches of records are on their way at most, and batchBytes
	// about how many bytes of payloads one has. A record that is larger alone goes alone
	// and is not copied.
	batches    = 4
	batchBytes = 64 << 10
	// batchRecords is how many records a batch has at most.
	batchRecords = 512
)

// An ahead reads a recording in a goroutine of its own, so that to read it and to look
// at what was read takes no longer than one of them. It is what a connection does, too.
type ahead struct {
	full, free chan *batch
	stop       chan struct{}
	filling    *batch // nil when there is none
}

type batch struct {
	records []read
	bytes   []byte        // their payloads
	done    chan struct{} // for a large record, which is used where it was read
}

type read struct {
	record proto.FrameRecord
	err    error
}

func newAhead() *ahead {
	a := &ahead{full: make(chan *batch, batches), free: make(chan *batch, batches), stop: make(chan struct{})}
	for range batches {
		a.free <- &batch{}
	}
	return a
}

// read reads records until close is called.
func (a *ahead) read(records iter.Seq2[proto.FrameRecord, error]) {
	defer close(a.full)
	for r, err := range records {
		if !a.add(r, err) {
			return
		}
	}
	a.pass()
}

// take takes a batch to fill, unless there is one. It returns false after close.
func (a *ahead) take() bool {
	if a.filling == nil {
		select {
		case a.filling = <-a.free:
		case <-a.stop:
			return false
		}
	}
	return true
}

// room is RecordingReader.Room: a payload is best made where it stays.
func (a *ahead) room(n int) []byte {
	n += roomSlack
	if n >= batchBytes || !a.take() {
		return nil
	}
	if b := a.filling; cap(b.bytes)-len(b.bytes) < n && len(b.records) > 0 {
		if a.pass(); !a.take() {
			return nil
		}
	}
	b := a.filling
	if cap(b.bytes)-len(b.bytes) < n {
		b.bytes = make([]byte, 0, batchBytes)
	}
	return b.bytes
}

// roomSlack is what the one who makes a payload may use beyond its end.
const roomSlack = 16

func (a *ahead) add(r proto.FrameRecord, err error) bool {
	if !a.take() {
		return false
	}
	b := a.filling
	if len(r.Payload) >= batchBytes {
		b.done = make(chan struct{})
		b.records = append(b.records, read{r, err})
		a.pass()
		select {
		case <-b.done:
			return true
		case <-a.stop:
			return false
		}
	}
	if n := len(b.bytes); len(r.Payload) > 0 {
		if cap(b.bytes)-n >= len(r.Payload) && &b.bytes[:n+1][n] == &r.Payload[0] {
			b.bytes = b.bytes[:n+len(r.Payload)] // it was made there
		} else {
			b.bytes = append(b.bytes, r.Payload...)
			r.Payload = b.bytes[n:len(b.bytes):len(b.bytes)]
		}
	}
	b.records = append(b.records, read{r, err})
	if len(b.bytes) >= batchBytes || len(b.records) >= batchRecords {
		a.pass()
	}
	return true
}

// pass passes on what has been read. It is called when to read more may take its time.
func (a *ahead) pass() {
	if a.filling != nil && len(a.filling.records) > 0 {
		a.full <- a.filling // there is room for all of them
		a.filling = nil
	}
}

// records yields what is read, and calls idle before it waits for more.
func (a *ahead) records(idle func()) iter.Seq2[proto.FrameRecord, error] {
	return func(yield func(proto.FrameRecord, error) bool) {
		for {
			var b *batch
			select {
			case b = <-a.full:
			default:
				idle()
				b = <-a.full
			}
			if b == nil {
				return
			}
			for i := range b.records {
				if r := &b.records[i]; !yield(r.record, r.err) {
					return
				}
			}
			if b.done != nil {
				close(b.done)
			}
			clear(b.records)
			b.records, b.bytes, b.done = b.records[:0], b.bytes[:0], nil
			a.free <- b
		}
	}
}

// close ends read, and waits for that.
func (a *ahead) close() {
	close(a.stop)
	for range a.full {
	}
}
