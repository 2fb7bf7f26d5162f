package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"

	"github.com/hark-cli/hark/proto/frame"
)

// blockSize is how many bytes of frames the load server writes at once.
const blockSize = 256 << 10

// poolSize is how many events of one size differ, at most; the stream repeats
// them. So many differ as fit into a few mebibytes, which is more than what
// caches and tables of short strings hold.
const poolSize = 4096

// makeEvent makes the i-th CloudEvent of exactly size bytes. What differs from
// event to event in a real stream differs here: id, time, device and value.
func makeEvent(i, size int) []byte {
	b := fmt.Appendf(nil, `{"specversion":"1.0","id":"%08x-%04x","type":"io.drogue.event.v1",`+
		`"source":"drogue://demo-app/device-%04d","subject":"state","time":"2026-11-05T10:%02d:%02d.%03dZ",`+
		`"data":{"value":%d.%d,"ok":%t`,
		i*2654435761, i, i%20, i/60%60, i%60, i*7%1000, 15+i%13, i%10, i%3 != 0)
	const open, end = `,"note":"`, `"}}`
	room := size - len(b) - len(open) - len(end)
	if room < 0 {
		panic(fmt.Sprintf("an event takes more than %d bytes", size))
	}
	// Larger events are larger because they hold more numbers and words.
	var fill strings.Builder
	if room > 400 {
		fill.WriteString(`,"series":[`)
		for n := 0; fill.Len() < room-200; n++ {
			if n > 0 {
				fill.WriteByte(',')
			}
			fmt.Fprintf(&fill, `{"at":%d,"unit":"celsius","reading":%d.%02d}`, n, (i+n)%90, n%100)
		}
		fill.WriteByte(']')
	}
	b = append(b, fill.String()...)
	b = append(b, open...)
	for n := size - len(b) - len(end); n > 0; n-- {
		b = append(b, "the quick brown fox "[n%20])
	}
	return append(b, end...)
}

// A load is a stream of messages, ready to be written.
type load struct {
	messages [][]byte
	frames   []byte // one for each message
	ends     []int  // of the frames
}

// newLoad prepares events of size bytes; deflated compresses each on its own, as
// permessage-deflate does when neither side keeps its context (RFC 7692, section
// 7.2.1).
func newLoad(size int, deflated bool) *load {
	l := &load{}
	var packer *flate.Writer
	for i := range min(poolSize, max(16, 8<<20/size)) {
		event := makeEvent(i, size)
		l.messages = append(l.messages, event)
		h := frame.Header{Fin: true, Opcode: frame.OpText}
		payload := event
		if deflated {
			var packed bytes.Buffer
			if packer == nil {
				packer, _ = flate.NewWriter(nil, flate.DefaultCompression)
			}
			packer.Reset(&packed)
			_, _ = packer.Write(event)
			_ = packer.Flush()
			payload = bytes.TrimSuffix(packed.Bytes(), []byte{0, 0, 0xFF, 0xFF})
			h.RSV = 4
		}
		h.Length = uint64(len(payload))
		l.frames = frame.AppendHeader(l.frames, h)
		l.frames = append(l.frames, payload...)
		l.ends = append(l.ends, len(l.frames))
	}
	return l
}

// cut returns the frames of n messages from the i-th on, which must not go beyond
// the end of the pool.
func (l *load) cut(i, n int) []byte {
	from := 0
	if i > 0 {
		from = l.ends[i-1]
	}
	return l.frames[from:l.ends[i+n-1]]
}
