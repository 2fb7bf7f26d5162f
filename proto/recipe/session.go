package recipe

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A session is the codec of one connection.
type session struct {
	*run
	svc *Service

	opened, heard time.Time
	ready         bool
	live          bool
	moved         bool            // it replaces another connection, without a gap
	due           bool            // it is ready when the requests have been made
	waited        bool            // ids were awaited, or none was to be
	awaited       map[string]bool // ids that are not acknowledged yet
	timers        []timerState
	calls         []call // requests that are still to be made

	decoder  eventjson.Decoder // of messages
	whole    eventjson.Decoder // of those that need more than the first look
	later    eventjson.Decoder // of what is looked at after an event
	effects  []proto.Effect    // of the call at hand
	produced []proto.Message   // events that it makes
	buffer   []byte            // of those
	now      time.Time         // of the call at hand
	mark     *mark             // of the message at hand, or nil
	values   []any             // of the variables, nil until they are needed
}

// maxAwaited is how many ids may be awaited, maxCalls how many requests may wait.
const (
	maxAwaited = 10_000
	maxCalls   = 1000
)

func newSession(r *run) *session {
	return &session{run: r, svc: r.svc, timers: make([]timerState, len(r.svc.recipe.timers))}
}

// begin begins a call of a method.
func (s *session) begin(now time.Time) {
	s.now, s.values = now, nil
	clear(s.effects)
	s.effects, s.produced, s.buffer = s.effects[:0], s.produced[:0], s.buffer[:0]
	if cap(s.buffer) > 1<<20 {
		s.buffer = nil
	}
}

func (s *session) add(e proto.Effect) { s.effects = append(s.effects, e) }

// vars are the values of the variables now.
func (s *session) vars() []any {
	if s.values == nil {
		s.values = s.run.vars(s.now)
		s.values[len(s.values)-1] = s.moved
	}
	return s.values
}

// eval evaluates an expression; nil yields nothing.
func (s *session) eval(e *expr, in any) ([]any, error) {
	if e == nil {
		return nil, nil
	}
	if e.program == nil {
		return []any{e.constant}, nil
	}
	if out, ok := e.program.One(in); ok { // which needs no variables
		return []any{out}, nil
	}
	return e.run(in, s.vars())
}

// warnInterval is the time between two warnings about the same expression.
const warnInterval = 10 * time.Second

// warn says what is wrong with an expression, unless it has done so a moment ago.
func (s *session) warn(e *expr, err error) {
	if s.quiet(e.name) {
		return
	}
	s.add(proto.Warning(fmt.Sprintf("recipe %s, %s: %v", s.svc.recipe.Name, e.name, err)))
}

// quiet reports whether the same has been said a moment ago, and takes note of it.
func (s *session) quiet(what string) bool {
	if last, ok := s.warned[what]; ok && s.now.Sub(last) < warnInterval {
		return true
	}
	s.warned[what] = s.now
	return false
}

// OnOpen implements proto.Session.
func (s *session) OnOpen(now time.Time) []proto.Effect {
	s.begin(now)
	s.opened, s.heard = now, now
	open := &s.svc.recipe.open
	frames, err := s.frames(open.send, nil)
	if err != nil {
		s.warn(open.send, err)
	}
	s.send(frames)
	if ids, err := s.ids(open.await, nil); err != nil {
		s.warn(open.await, err)
	} else if open.await != nil {
		s.await(ids)
	}
	if !s.svc.recipe.signals() {
		s.becomeReady()
	}
	s.restartTimers()
	if s.forgotten { // by a close code, after which there was no message to say so
		s.forgotten = false
		s.movedTo(nil)
		s.marked()
	}
	return s.effects
}

// signals reports whether anything but the open socket says that the stream is ready.
func (r *Recipe) signals() bool {
	return r.open.await != nil || slices.ContainsFunc(r.rules, func(u rule) bool { return u.ready != nil || u.await != nil })
}

// readyRule reports whether a rule says so.
func (r *Recipe) readyRule() bool {
	return slices.ContainsFunc(r.rules, func(u rule) bool { return u.ready != nil })
}

// becomeReady makes the stream ready, when the requests that wait have been made.
func (s *session) becomeReady() {
	if s.due = len(s.calls) > 0; s.due {
		return
	}
	if !s.ready {
		s.ready, s.live = true, true
		s.add(proto.StreamReady{})
	}
}

// frames are the outputs of send.
func (s *session) frames(e *expr, in any) (list proto.Send, err error) {
	outputs, err := s.eval(e, in)
	if err != nil {
		return nil, err
	}
	for _, v := range outputs {
		f, ok, err := s.frameOf(v, e.secret)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, f)
		}
	}
	return list, nil
}

// send sends frames, if there are any.
func (s *session) send(frames proto.Send) {
	if len(frames) > 0 {
		s.add(frames)
	}
}

// ids are the outputs of await or ack, as keys.
func (s *session) ids(e *expr, in any) (list []string, err error) {
	outputs, err := s.eval(e, in)
	if err != nil {
		return nil, err
	}
	for _, v := range outputs {
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

// await takes note of ids that must be acknowledged. Without any there is nothing to
// wait for.
func (s *session) await(ids []string) {
	s.waited = true
	if s.awaited == nil {
		s.awaited = make(map[string]bool)
	}
	for _, id := range ids {
		if len(s.awaited) < maxAwaited {
			s.awaited[id] = true
		}
	}
	s.checkAcknowledged()
}

func (s *session) acknowledge(ids []string) {
	for _, id := range ids {
		delete(s.awaited, id)
	}
	s.checkAcknowledged()
}

func (s *session) checkAcknowledged() {
	if s.waited && len(s.awaited) == 0 && !s.svc.recipe.readyRule() {
		s.becomeReady()
	}
}

// Tick implements proto.Scheduler: heartbeats, what is awaited, requests.
func (s *session) Tick(now time.Time) (w proto.Work, err error) {
	s.begin(now)
	sooner := func(t time.Time) {
		if !t.IsZero() && (w.Next.IsZero() || t.Before(w.Next)) {
			w.Next = t
		}
	}
	if limit := s.svc.options.AckTimeout; limit > 0 && !s.ready {
		end := s.opened.Add(limit)
		if !now.Before(end) {
			return w, &proto.TimeoutError{What: s.missing(), Limit: limit}
		}
		sooner(end)
	}
	if limit, ok := s.silence(); ok {
		end := s.heard.Add(limit)
		if !now.Before(end) {
			return w, &proto.LostError{Err: fmt.Errorf("no message within %s", limit)}
		}
		sooner(end)
	}
	next, err := s.tickTimers()
	sooner(next)
	if len(s.calls) > 0 {
		w.Do = s.nextCall()
	}
	w.Effects = s.effects
	return w, err
}

// missing says what a stream that is not ready waits for.
func (s *session) missing() string {
	if len(s.awaited) == 0 {
		return "sign that the stream is ready"
	}
	id := ""
	for k := range s.awaited {
		if id == "" || k < id {
			id = k
		}
	}
	return "acknowledgment of " + proto.Excerpt([]byte(id))
}

// silence is how long the server may be silent.
func (s *session) silence() (time.Duration, bool) {
	e := s.svc.recipe.silence
	if e == nil {
		return 0, false
	}
	outputs, err := s.eval(e, nil)
	if err != nil {
		s.warn(e, err)
		return 0, false
	}
	return duration(first(outputs))
}

// longest and shortest bound the times of heartbeats and of silence.
const (
	longest  = 365 * 24 * time.Hour
	shortest = 100 * time.Millisecond
)

// duration is a time in seconds; ok is false for null, and for what is none.
func duration(v any) (d time.Duration, ok bool) {
	f, ok := number(v)
	if !ok || !(f > 0) {
		return 0, false
	}
	return time.Duration(min(max(f, shortest.Seconds()), longest.Seconds()) * float64(time.Second)), true
}

// OnClose implements proto.Session.
func (s *session) OnClose() []proto.Frame {
	s.values = nil
	frames, _ := s.frames(s.svc.recipe.closing.send, nil) // an error cannot be reported any more
	return frames
}

// CloseCode implements proto.CloseCoder.
func (s *session) CloseCode() int { return s.svc.recipe.closing.code }

// SendLimit implements proto.SendLimiter.
func (s *session) SendLimit() (frames int, per time.Duration) {
	return s.svc.recipe.limit.frames, s.svc.recipe.limit.per
}

// Ended implements proto.EndWatcher: some close codes end more than the connection.
func (s *session) Ended(err error) {
	if e, ok := errors.AsType[*proto.CloseError](err); ok && slices.Contains(s.svc.recipe.closing.fresh, e.Code) {
		s.forget()
		s.forgotten = true
	}
}
