package octave

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto"
)

// maxParallel is how many requests run at once.
const maxParallel = 4

// A recovery fetches events that were stored while disconnected, and updates the
// cursor.
type recovery struct {
	cursor   *cursor   // of the run; nil if it fetches no stored events
	granted  time.Time // the session, by the service's clock; zero if unknown
	received time.Time // that response, by the local clock
	fill     *fill     // nil if events need not wait
	// job is the current request, returned by Tick until it is done.
	job  func(context.Context) func(time.Time) (proto.Work, error)
	bulk bool // it fetches events
}

// look decides at the beginning of a connection whether events are to be fetched, and
// returns warnings for the user.
func (s *session) look(now time.Time) (warnings []string) {
	c := s.cursor
	if c == nil {
		return nil
	}
	if !s.granted.IsZero() {
		c.compare(s.granted.UnixMilli(), s.received)
	}
	first := c.streams == nil
	c.begin(s.o)
	if first {
		warnings = append(warnings, unkept(c.streams))
	}
	c.known = false
	if !c.started {
		if since, sure := s.since(now); since != 0 {
			c.start(since)
			c.initial = true
			if !sure {
				warnings = append(warnings, "the service does not tell its time, so that --since counts back from the clock of this machine")
			}
		}
	}
	if c.started && (c.initial || s.o.Backfill) {
		s.fill = newFill(c, s.o.BackfillDelay)
		c.fill = s.fill
	}
	return warnings
}

// since returns the time from which stored events are requested, 0 for none, and
// whether it is by the service's clock.
func (s *session) since(now time.Time) (from int64, sure bool) {
	switch {
	case !s.o.Since.IsZero():
		return max(s.o.Since.UnixMilli(), 1), true
	case s.o.Ago > 0:
		at, known := s.cursor.service(now)
		return max(at-s.o.Ago.Milliseconds(), 1), known
	}
	return 0, true
}

// live is called when all subscriptions are acknowledged.
func (s *session) live(now time.Time) {
	c := s.cursor
	if c == nil {
		return
	}
	if s.fill != nil {
		s.fill.live = now
	}
	c.live = now
	if at, known := c.service(now); known && !c.started {
		// The session was granted before the subscriptions, so no event is missed.
		c.start(min(at, s.granted.UnixMilli()))
	}
}

// leftOut is the note about a duplicate event.
var leftOut = []proto.Effect{proto.Note("an event came a second time and was left out")}

// push handles a pushed event.
func (s *session) push(m proto.Message) (event bool, effects []proto.Effect) {
	c := s.cursor
	if c == nil {
		return true, nil
	}
	resource, e, ok := readPush(m.Data)
	if !ok {
		return true, nil // the clocks cannot be compared
	}
	c.compare(e.created, m.Time)
	if at, known := c.service(c.live); known && !c.started && !c.live.IsZero() {
		c.start(at)
	}
	mark := c.find(resource, &e)
	switch {
	case mark == nil:
		return true, nil
	case s.fill != nil && s.fill.hold(mark, m):
		return false, nil
	case !c.give(mark, &e, m.Time):
		return false, leftOut
	}
	return true, c.pushed(mark, &e)
}

// recover returns the next request to make.
func (s *session) recover(w *proto.Work, now time.Time) {
	c := s.cursor
	if c == nil {
		return
	}
	if s.job == nil && !c.known {
		s.lookUp(c)
	}
	if s.job == nil && s.fill != nil && len(s.awaited) == 0 {
		ask, next := s.fill.queries(now)
		if len(ask) > 0 {
			s.fetch(ask, now)
		} else if w.Effects = append(w.Effects, s.filled(now)...); s.fill != nil && !next.IsZero() && (w.Next.IsZero() || next.Before(w.Next)) {
			w.Next = next
		}
	}
	w.Do, w.Bulk = s.job, s.bulk
}

// lookUp requests the capacities of the streams, as far as they are unknown.
func (s *session) lookUp(c *cursor) {
	var marks []*progress
	var names []string
	for _, m := range c.streams {
		if m.capacity < 0 {
			marks, names = append(marks, m), append(names, m.name)
		}
	}
	if len(marks) == 0 {
		c.known = true
		return
	}
	api := s.o.API
	s.bulk = false
	s.job = func(ctx context.Context) func(time.Time) (proto.Work, error) {
		found := make([]Stream, len(names))
		errs := make([]error, len(names))
		inParallel(len(names), func(i int) {
			found[i], errs[i] = api.Stream(ctx, names[i])
		})
		return func(time.Time) (proto.Work, error) {
			s.job, c.known = nil, true
			return proto.Work{Effects: c.lookedUp(marks, found, errs)}, nil
		}
	}
}

// lookedUp handles the results of lookUp. Streams without a result are looked up again
// on the next connection.
func (c *cursor) lookedUp(marks []*progress, found []Stream, errs []error) (effects []proto.Effect) {
	var refusal error
	for i, m := range marks {
		err := errs[i]
		if err == nil {
			c.learn(m, found[i])
			continue
		}
		if e, ok := errors.AsType[*proto.HandshakeError](err); ok && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized) {
			refusal = err
		}
		if effects == nil {
			effects = []proto.Effect{proto.Note("stream " + m.name + " could not be looked up: " + err.Error())}
		}
	}
	warnings := []string{unkept(marks)}
	if refusal != nil && !c.refused {
		c.refused = true
		warnings = append(warnings, "events missed while disconnected cannot be fetched: "+refusal.Error())
	}
	return append(effects, warn(warnings)...)
}

// warn joins the warnings that are not empty into one.
func warn(texts []string) []proto.Effect {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	if len(texts) == 0 {
		return nil
	}
	return []proto.Effect{proto.Warning(strings.Join(texts, "; "))}
}

// unkept returns a warning about streams from which no events can be fetched.
func unkept(marks []*progress) string {
	var names []string
	for _, m := range marks {
		if m.capacity == 0 && !m.alias {
			names = append(names, m.name)
		}
	}
	const most = 5
	switch n := len(names); {
	case n == 0:
		return ""
	case n > most:
		names = append(names[:most], strconv.Itoa(n-most)+" more")
	}
	return "capacity 0: events missed while disconnected cannot be fetched from " + strings.Join(names, ", ")
}

// fetch requests pages of stored events.
func (s *session) fetch(ask []*fetch, now time.Time) {
	fill, api := s.fill, s.o.API
	queries := make([]query, len(ask))
	for i, f := range ask {
		queries[i] = fill.query(f, now)
	}
	s.bulk = true
	s.job = func(ctx context.Context) func(time.Time) (proto.Work, error) {
		pages := make([][]eventInfo, len(queries))
		errs := make([]error, len(queries))
		inParallel(len(queries), func(i int) {
			pages[i], errs[i] = api.events(ctx, queries[i])
		})
		return func(now time.Time) (w proto.Work, _ error) {
			s.job = nil
			for i, f := range ask {
				if errs[i] != nil {
					fill.fail(f, errs[i], now)
				} else {
					fill.receive(f, pages[i], now)
				}
			}
			w.Effects = s.filled(now)
			return w, nil
		}
	}
}

// filled returns the events available so far, and ends the fill when it is complete.
func (s *session) filled(now time.Time) []proto.Effect {
	effects := []proto.Effect{proto.Inject(s.fill.take(now))}
	if s.fill.over() {
		effects = append(effects, proto.GapReports(s.fill.gaps()))
		s.fill, s.cursor.fill = nil, nil
	}
	return effects
}

// inParallel calls f for 0 to n-1, at most maxParallel at a time, and waits for all.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, maxParallel)
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			f(i)
			<-turns
		})
	}
	wg.Wait()
}
