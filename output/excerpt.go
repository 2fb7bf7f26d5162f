package output

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

const (
	// maxExcerpt is how much of an event is kept for people to read, in bytes.
	maxExcerpt = 1 << 10
	// maxRedacted is how far beyond a cut a credential may reach.
	maxRedacted = 64 << 10
)

// excerpt returns the start of what is printed for an event. Credentials are taken
// out before the cut, because a part of one would not be found afterwards.
func (w *Writer) excerpt(data []byte) string {
	if len(data) > maxExcerpt {
		data = cutText(w.opts.Redact(data[:min(len(data), maxExcerpt+maxRedacted)]), maxExcerpt)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

// cutText cuts b between two characters, and says so at its end.
func cutText(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	return append(append([]byte(nil), b[:eventjson.CutText(b, n)]...), "…"...)
}

// since is the time from the start of the stream to at.
func (w *Writer) since(at time.Time) time.Duration {
	return max(at.Sub(w.opts.Start), 0)
}

// A Recent is one of the last events of a stream.
type Recent struct {
	Event uint64 // its number in this run, from 1
	After time.Duration
	Text  string // an excerpt
}

// A memory keeps the last events.
type memory struct {
	mu    sync.Mutex
	slots []slot
	next  int
}

type slot struct {
	seq   uint64
	after time.Duration
	text  []byte
}

// keep takes what is printed for ev: data, and then rest.
func (m *memory) keep(w *Writer, ev *proto.Event, data []byte, rest eventjson.Tail) {
	for data = slices.Clip(data); !rest.Done() && len(data) < maxExcerpt+maxRedacted; {
		data = rest.Append(data, maxRedacted)
	}
	if len(data) > maxExcerpt {
		data = []byte(w.excerpt(data))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.slots[m.next]
	m.next = (m.next + 1) % len(m.slots)
	s.seq, s.after = ev.Seq, w.since(ev.Time)
	s.text = append(s.text[:0], data...)
}

// Recent returns the last events, the oldest first, as many as Options.Keep says.
// Any goroutine may call it.
func (w *Writer) Recent() []Recent {
	m := &w.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Recent
	for i := range m.slots {
		s := m.slots[(m.next+i)%len(m.slots)]
		if s.seq > 0 {
			all = append(all, Recent{s.seq, s.after, strings.ToValidUTF8(string(s.text), "\uFFFD")})
		}
	}
	return all
}
