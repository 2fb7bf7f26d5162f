package stream

import (
	"context"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/proto"
)

// A lingering ends a stream some time after the last line of stdin was sent: --linger
// and --hold with --send -.
type lingering struct {
	limit time.Duration
	hold  bool // counts from the last line, whatever comes
	over  error

	mu   sync.Mutex
	last time.Time // that counts
}

// Lingers is what --linger and --hold ask for, nil when neither was given or when
// they never end the stream.
func (f *promptFlags) Lingers() *lingering {
	l := &lingering{limit: time.Duration(f.linger), over: ending.ErrLinger}
	if f.holds {
		l.limit, l.hold, l.over = time.Duration(f.hold), true, ending.ErrHold
	}
	if !f.holds && !f.lingerGiven || linger(l.limit) == forever {
		return nil
	}
	return l
}

// from returns what begins the time, after which the stream ends: when the last line
// is not only read but written, because a large one may take long.
func (l *lingering) from(ctx context.Context, end func(error)) (written func()) {
	return func() {
		l.note(time.Now())
		go l.wait(ctx, end)
	}
}

func (l *lingering) note(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = now
}

// wait ends the stream when the time is over.
func (l *lingering) wait(ctx context.Context, end func(error)) {
	for {
		l.mu.Lock()
		left := time.Until(l.last.Add(l.limit))
		l.mu.Unlock()
		if left <= 0 {
			end(l.over)
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// A lingeringSink tells a lingering of each event.
type lingeringSink struct {
	proto.Sink
	l *lingering
}

// Event implements proto.Sink.
func (s *lingeringSink) Event(ev *proto.Event) error {
	if !s.l.hold {
		s.l.note(time.Now())
	}
	return s.Sink.Event(ev)
}
