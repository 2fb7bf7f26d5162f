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

// A recovery is what a session does so that no event is missed: it keeps
// the cursor, and fetches what was stored while there was no connection.
type recovery struct {
	cursor   *cursor   // of the run; nil when it neither looks back nor fills gaps
	granted  time.Time // the session, by the service's clock; zero when not known
	received time.Time // the answer that says so, by ours
	fill     *fill     // nil when all that comes can go out
	// job is the request that is made, or waits to be: offered until it is done.
	job  func(context.Context) func(time.Time) (proto.Work, error)
	bulk bool // it brings events
}

// look decides at the beginning of a connection whether something is to be
// fetched, and returns what the user should know.
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

// since is the time from which stored events are wanted, 0 for none, and whether it
// is a time of the service's clock.
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
		// The grant is from before the subscriptions, so that nothing is missed.
		c.start(min(at, s.granted.UnixMilli()))
	}
}

// leftOut is what an event says that has come before.
var leftOut = []proto.Effect{proto.Note("an event came a second time and was left out")}

// push decides about an event that has come.
func (s *session) push(m proto.Message) (event bool, effects []proto.Effect) {
	c := s.cursor
	if c == nil {
		return true, nil
	}
	resource, e, ok := readPush(m.Data)
	if !ok {
		return true, nil // there is nothing to compare it by
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
	return true, nil
}

// recover offers the next request to make.
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

// lookUp asks what the streams keep, as far as that is not known.
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

// lookedUp takes the answers to lookUp. Streams without one are looked up again in
// the next connection.
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

// warn makes one warning of those that are not empty, if there are any.
func warn(texts []string) []proto.Effect {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	if len(texts) == 0 {
		return nil
	}
	return []proto.Effect{proto.Warning(strings.Join(texts, "; "))}
}

// unkept warns of streams of which nothing can ever be fetched.
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

// fetch asks for pages of stored events.
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

// filled gives out what has come so far, and ends the fill when that is all.
func (s *session) filled(now time.Time) []proto.Effect {
	effects := []proto.Effect{proto.Inject(s.fill.take(now))}
	if s.fill.over() {
		effects = append(effects, proto.GapReports(s.fill.gaps()))
		s.fill, s.cursor.fill = nil, nil
	}
	return effects
}

// inParallel calls f for 0 to n-1, some at a time, and waits for all.
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
