package proto

import "time"

// A Backoff is the rule of waiting between attempts: exponential, with jitter so that
// many clients that lost the same server do not reconnect at the same time. It is a
// pure function of its arguments.
type Backoff struct {
	// Base is the wait before the first retry, Max the longest wait.
	Base, Max time.Duration
}

// defaultBackoff waits 0.5 s, 1 s, 2 s … 30 s, each shortened by up to a half.
var defaultBackoff = Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}

// Delay is the wait before retry n, counted from 0. random is in [0, 1) and chooses
// between half the exponential value and all of it. The result is at least the wait
// that the server requested (Retry-After, RFC 9110, section 10.2.3).
func (b Backoff) Delay(n int, random float64, asked time.Duration) time.Duration {
	d := b.longest(n)
	d = d/2 + time.Duration(random*float64(d/2))
	return max(d, asked)
}

// longest returns the wait before retry n without jitter.
func (b Backoff) longest(n int) time.Duration {
	if n < 32 {
		if e := b.Base << n; e > 0 && e>>n == b.Base {
			return min(e, b.Max)
		}
	}
	return b.Max
}

// A reconnectPolicy decides whether there is another attempt, and when. It has no
// connections and no clock: all it knows is passed to its methods.
//
// Consecutive failures increase the delay, whether an attempt failed or a connection
// was opened and lost at once, as with a proxy that accepts connections for a server
// that is down. Only a stable connection resets it: one that lasted, or one that was
// ready and received events for longer than the delay before it.
type reconnectPolicy struct {
	backoff Backoff
	budget  budget

	failures int           // consecutive
	freeUsed bool          // the series has had its free retry
	delay    time.Duration // the last wait, without jitter; 0 before the first

	// About the open connection, or the last one.
	opened time.Time // zero if there is none
	ready  time.Time // zero while it is not
	events bool      // it has received some
}

// stableTime is how long a connection must have lasted to be stable, if the longest
// delay is not longer.
const stableTime = 30 * time.Second

func newReconnectPolicy(o *Options) reconnectPolicy {
	return reconnectPolicy{backoff: o.Backoff, budget: budget{limit: o.Retries, window: o.RetryWindow}}
}

// connected is called when a connection is open, and streamReady when its stream
// is ready.
func (p *reconnectPolicy) connected(now time.Time) {
	p.opened, p.ready, p.events = now, time.Time{}, false
}

func (p *reconnectPolicy) streamReady(now time.Time) {
	if p.ready.IsZero() {
		p.ready = now
	}
}

// lost is called when the connection has ended.
func (p *reconnectPolicy) lost(now time.Time) {
	if p.stable(now) {
		p.failures, p.freeUsed, p.delay = 0, false, 0
	}
	p.opened = time.Time{}
}

// stable reports whether the connection, which ends now, was stable.
func (p *reconnectPolicy) stable(now time.Time) bool {
	if p.opened.IsZero() {
		return false
	}
	if now.Sub(p.opened) >= max(stableTime, p.backoff.Max) {
		return true
	}
	return p.events && !p.ready.IsZero() && now.Sub(p.ready) > max(p.delay, p.backoff.Base)
}

// free grants a retry that does not count, once per series of failures. It is delayed,
// too.
func (p *reconnectPolicy) free(random float64) (delay time.Duration, ok bool) {
	if p.freeUsed {
		return 0, false
	}
	p.freeUsed = true
	return p.next(random, 0), true
}

// retry uses a retry of the budget, or reports that there is none. asked is the wait
// that the server requested.
func (p *reconnectPolicy) retry(now time.Time, random float64, asked time.Duration) (delay time.Duration, ok bool) {
	if !p.budget.take(now) {
		return 0, false
	}
	return p.next(random, asked), true
}

func (p *reconnectPolicy) next(random float64, asked time.Duration) time.Duration {
	d := p.backoff.Delay(p.failures, random, asked)
	p.delay = p.backoff.longest(p.failures)
	p.failures++
	return d
}

// reset is called when the user requests a new connection.
func (p *reconnectPolicy) reset() {
	p.failures, p.freeUsed, p.delay, p.budget.spent = 0, false, 0, nil
}

// A budget counts retries in a sliding window: at most limit within window, or in total
// if window is 0.
type budget struct {
	limit  int
	window time.Duration
	spent  []time.Time
}

// take uses one retry at now, or reports that none is left.
func (b *budget) take(now time.Time) bool {
	cut := 0
	for b.window > 0 && cut < len(b.spent) && now.Sub(b.spent[cut]) >= b.window {
		cut++
	}
	b.spent = b.spent[cut:]
	if len(b.spent) >= b.limit {
		return false
	}
	b.spent = append(b.spent, now)
	return true
}
