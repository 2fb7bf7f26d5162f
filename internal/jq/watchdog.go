package jq

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/console"
)

// A TimeoutError is an expression that took too long for one event. It may still
// be running: a native function such as gsub on a long text cannot be interrupted.
type TimeoutError struct {
	Flag, Expr string
	Event      uint64 // the number of the event in this run, from 1
	Limit      time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s: event %d: no result within %s: %s", e.Flag, e.Event, e.Limit, console.Brief(e.Expr))
}

// A Watchdog finds out when an expression takes too long. The time that it takes
// to write results does not count. Expressions that are run with a context from
// its Context method are watched. It is for one stream of events.
type Watchdog struct {
	limit  time.Duration
	filter atomic.Pointer[Filter] // that is running
	turns  atomic.Uint64          // how often one has begun to
	event  atomic.Uint64
}

// NewWatchdog makes a Watchdog for expressions that may take limit.
func NewWatchdog(limit time.Duration) *Watchdog { return &Watchdog{limit: limit} }

type watchdogKey struct{}

// Context returns a context that Filter.Pipeline and Filter.Matches run under d with.
func (d *Watchdog) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, watchdogKey{}, d)
}

// WatchdogOf returns the Watchdog of a context, or nil.
func WatchdogOf(ctx context.Context) *Watchdog {
	d, _ := ctx.Value(watchdogKey{}).(*Watchdog)
	return d
}

// Watch calls expired, once, when an expression has taken longer than the limit.
// It returns then, or when ctx ends.
func (d *Watchdog) Watch(ctx context.Context, expired func(*TimeoutError)) {
	tick := time.NewTicker(min(max(d.limit/8, 10*time.Millisecond), time.Second))
	defer tick.Stop()
	var turn uint64
	var since time.Time
	for {
		var now time.Time
		select {
		case now = <-tick.C:
		case <-ctx.Done():
			return
		}
		f, n := d.filter.Load(), d.turns.Load()
		switch {
		case f == nil:
			since = time.Time{}
		case since.IsZero() || n != turn:
			turn, since = n, now
		case now.Sub(since) >= d.limit:
			expired(&TimeoutError{Flag: f.flag, Expr: f.expr, Event: d.event.Load(), Limit: d.limit})
			return
		}
	}
}

// At says which event is being looked at. d may be nil.
func (d *Watchdog) At(event uint64) {
	if d != nil {
		d.event.Store(event)
	}
}

// enter and leave stand around each step of an expression.
func (d *Watchdog) enter(f *Filter) {
	if d != nil {
		d.turns.Add(1)
		d.filter.Store(f)
	}
}

func (d *Watchdog) leave() {
	if d != nil {
		d.filter.Store(nil)
	}
}
