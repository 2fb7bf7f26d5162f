package recipe

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hark-cli/hark/proto"
)

// A timerState is one [[every]] on a connection.
type timerState struct {
	every time.Duration // 0 while it does not run
	due   time.Time
	sent  time.Time // when the last one went out that is not answered; zero for none
}

// restartTimers computes the times of all timers again, at the beginning and when the
// state has changed. A timer begins anew only when its time has changed.
func (s *session) restartTimers() {
	for i := range s.timers {
		t, m := &s.timers[i], &s.svc.recipe.timers[i]
		if m.seconds.program == nil && t.every > 0 {
			continue
		}
		outputs, err := s.eval(m.seconds, nil)
		if err != nil {
			s.warn(m.seconds, err)
		}
		v := first(outputs)
		every, ok := duration(v)
		switch {
		case !ok:
			if f, isNumber := number(v); v != nil && !(isNumber && f == 0) { // which is a way to say none
				s.warn(m.seconds, fmt.Errorf("expected a number of seconds above 0, not %s", typeOf(v)))
			}
			*t = timerState{}
		case every != t.every:
			*t = timerState{every: every, due: s.now.Add(s.firstWait(m, every))}
		}
	}
}

// firstWait is the time until a timer is due for the first time.
func (s *session) firstWait(m *timer, every time.Duration) time.Duration {
	if m.first == nil {
		return every
	}
	outputs, err := s.eval(m.first, nil)
	if err != nil {
		s.warn(m.first, err)
		return every
	}
	f, ok := number(first(outputs))
	if !ok || !(f >= 0) {
		return every
	}
	return time.Duration(min(f, longest.Seconds()) * float64(time.Second))
}

// tickTimers does what is due, and returns when that is the case next.
func (s *session) tickTimers() (next time.Time, err error) {
	changed := false
	for i := range s.timers {
		t, m := &s.timers[i], &s.svc.recipe.timers[i]
		if t.every == 0 || s.now.Before(t.due) {
			continue
		}
		if !t.sent.IsZero() {
			return next, &proto.LostError{Err: fmt.Errorf("no reply to the heartbeat within %s", s.now.Sub(t.sent).Round(time.Millisecond))}
		}
		t.due = s.now.Add(t.every)
		set, sent := s.beat(m)
		changed = changed || set
		if sent && m.reply != nil {
			t.sent = s.now
		}
	}
	if changed {
		s.restartTimers()
	}
	for i := range s.timers {
		if t := &s.timers[i]; t.every > 0 && (next.IsZero() || t.due.Before(next)) {
			next = t.due
		}
	}
	return next, nil
}

// beat sends one heartbeat. It reports whether the state has changed, and whether
// anything is sent.
func (s *session) beat(m *timer) (set, sent bool) {
	if m.set != nil {
		outputs, err := s.eval(m.set, nil)
		if err == nil {
			set, err = s.change(outputs)
		}
		if err != nil {
			s.warn(m.set, err)
			return false, false
		}
	}
	frames, err := s.frames(m.send, nil)
	if err != nil {
		s.warn(m.send, err)
		return set, false
	}
	for i := range frames {
		frames[i].Urgent = true
	}
	s.send(frames)
	return set, len(frames) > 0
}

// change merges outputs of set into the state, and reports whether there were any.
func (s *session) change(outputs []any) (bool, error) {
	state, bytes, err := s.merged(outputs)
	if err != nil {
		return false, err
	}
	s.adopt(state, bytes)
	return len(outputs) > 0, nil
}

// adopt makes state the state, and has new credentials in it withheld.
func (s *session) adopt(state map[string]any, bytes int) {
	before := s.svc.recipe.secretsIn(s.state)
	s.state, s.bytes, s.values = state, bytes, nil
	s.withhold(before, state)
}

// withhold has the credentials in a new state or cursor withheld, unless they are those
// from before.
func (s *session) withhold(before []string, v any) {
	if after := s.svc.recipe.secretsIn(v); len(after) > 0 && !slices.Equal(before, after) {
		s.add(proto.Secrets(after))
	}
}

// replies looks for answers to heartbeats.
func (s *session) replies(in any) {
	for i := range s.timers {
		t, m := &s.timers[i], &s.svc.recipe.timers[i]
		if t.sent.IsZero() {
			continue
		}
		outputs, err := s.eval(m.reply, in)
		if err == nil && anyTrue(outputs) {
			s.add(proto.HeartbeatAnswered{RTT: s.now.Sub(t.sent)})
			t.sent = time.Time{}
		}
	}
}

// nextCall is the work of making the first request that waits.
func (s *session) nextCall() func(context.Context) func(time.Time) (proto.Work, error) {
	c := s.calls[0]
	c.secrets = s.secretValues()
	return func(ctx context.Context) func(time.Time) (proto.Work, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_, _, err := s.svc.send(ctx, c, false)
		return func(now time.Time) (proto.Work, error) {
			s.calls = s.calls[1:]
			if err != nil {
				return proto.Work{}, err
			}
			s.begin(now)
			s.add(proto.Note(c.name + ": done"))
			if s.due {
				s.becomeReady()
			}
			return proto.Work{Effects: s.effects, Next: now}, nil
		}
	}
}

// callTimeout is how long a request alongside the connection may take.
const callTimeout = 30 * time.Second
