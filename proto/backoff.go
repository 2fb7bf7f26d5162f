package proto

import "time"

// A Backoff is the rule of waiting between attempts: exponential, with jitter so
// that many clients that lost the same server do not come back in step. It is a
// pure function of its arguments.
type Backoff struct {
	// Base is the wait before the first retry, Max the longest one.
	Base, Max time.Duration
}

// DefaultBackoff waits 0.5 s, 1 s, 2 s … 30 s, each shortened by up to a half.
var DefaultBackoff = Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}

// Delay is the wait before retry n, counted from 0. random lies in [0, 1) and
// chooses between half the exponential value and all of it. A wait that the
// server asked for (Retry-After, RFC 9110, section 10.2.3) is never undercut.
func (b Backoff) Delay(n int, random float64, asked time.Duration) time.Duration {
	d := b.Max
	if n < 32 {
		if e := b.Base << n; e > 0 && e>>n == b.Base {
			d = min(e, b.Max)
		}
	}
	d = d/2 + time.Duration(random*float64(d/2))
	return max(d, asked)
}

// A budget counts retries in a sliding window: at most limit within window.
type budget struct {
	limit  int
	window time.Duration
	spent  []time.Time
}

// take uses up one retry at now, or says that none is left.
func (b *budget) take(now time.Time) bool {
	cut := 0
	for cut < len(b.spent) && now.Sub(b.spent[cut]) >= b.window {
		cut++
	}
	b.spent = b.spent[cut:]
	if len(b.spent) >= b.limit {
		return false
	}
	b.spent = append(b.spent, now)
	return true
}
