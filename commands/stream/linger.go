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
	hold  bool // counts from the last line, regardless of events
	over  error

	mu   sync.Mutex
	last time.Time // start of the time limit
}

// Lingers returns the lingering of --linger or --hold, nil if neither was given or if
// it never ends the stream.
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

// from returns the function that starts the time limit: when the last line has not only
// been read but written, because a large one may take long.
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

// wait ends the stream after the time limit.
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

// A lingeringSink notifies a lingering of each event.
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
