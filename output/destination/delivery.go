package destination

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto"
)

// Options are the settings of a Delivery.
type Options struct {
	// Name is the destination for messages, without anything secret.
	Name string
	// InFlight is how many records may be unacknowledged; 0 is what the destination says.
	InFlight int
	// RetryTime is how long a record is retried; 0 is for ever.
	RetryTime time.Duration
	// Backoff is the wait between attempts.
	Backoff proto.Backoff
	// DeadLetter takes a record that cannot be delivered, and why; nil fails the
	// delivery instead. An error of it is fatal.
	DeadLetter func(r Record, why error) error
	// Done, if not nil, is called for each record that was acknowledged or taken by
	// DeadLetter.
	Done func(r Record, acknowledged bool)
	// Retrying and Resumed are told what happens; nil is told nothing.
	// Retrying is called before the wait, Resumed at the first acknowledgment after one.
	Retrying func(err error, delay time.Duration)
	Resumed  func()
	// Failed is called once, when nothing more will be delivered; the error is a
	// *NotDeliveredError.
	Failed func(err error)
}

// A Delivery delivers records to one destination, in order.
type Delivery struct {
	o      Options
	d      Destination
	ctx    context.Context // ends the attempts
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing more will be delivered
	wake   chan struct{}

	mu      sync.Mutex
	room    sync.Cond
	pending []Record
	closing bool // nothing more will be submitted
	over    bool // nothing more will be delivered
	expiry  *time.Timer
	last    error // of the last attempt that failed; nil when one has succeeded since
	err     error
	counts  Counts
}

// Counts are what a Delivery has done.
type Counts struct {
	// Delivered and Dead are records.
	Delivered, Dead uint64
	// Retried is how many attempts were repeated.
	Retried uint64
	// InFlight is how many records are unacknowledged.
	InFlight int
}

// New starts a Delivery. Finish must be called.
func New(d Destination, o Options) *Delivery {
	if o.InFlight <= 0 {
		o.InFlight = d.InFlight()
	}
	ctx, cancel := context.WithCancel(context.Background())
	v := &Delivery{o: o, d: d, ctx: ctx, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	v.room.L = &v.mu
	go v.run()
	return v
}

// Submit has a record delivered, and waits while as many are in flight as may be. The
// record's data must not change afterwards. An error says that nothing more is
// delivered; the record was not taken.
func (v *Delivery) Submit(r Record) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.err == nil && !v.over && len(v.pending) >= v.o.InFlight {
		v.room.Wait()
	}
	switch {
	case v.err != nil:
		return v.err
	case v.over:
		return &NotDeliveredError{Destination: v.o.Name, Err: errors.New("there was no more time")}
	}
	v.pending = append(v.pending, r)
	v.signal()
	return nil
}

// Add has a record delivered that is not an event, however many are in flight: it does not
// wait. It is lost, but counted as in flight, if nothing more is delivered.
func (v *Delivery) Add(r Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending = append(v.pending, r)
	v.signal()
}

// signal wakes the loop. v.mu is held.
func (v *Delivery) signal() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Over returns a channel that is closed when nothing more will be delivered.
func (v *Delivery) Over() <-chan struct{} { return v.done }

// Counts returns the counters. Any goroutine may call it.
func (v *Delivery) Counts() Counts {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.counts
	c.InFlight = len(v.pending)
	return c
}

// Expire ends the Delivery after limit, whatever is still in flight then. The first call
// counts.
func (v *Delivery) Expire(limit time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.expiry == nil {
		v.expiry = time.AfterFunc(limit, v.cancel)
	}
}

// Finish waits until all records are delivered, at most for limit or what Expire has
// left, and ends the Delivery. It returns a *NotDeliveredError if some were not. When kill
// is closed it waits no longer.
func (v *Delivery) Finish(limit time.Duration, kill <-chan struct{}) error {
	v.Expire(limit)
	v.mu.Lock()
	v.closing = true
	v.signal()
	v.mu.Unlock()
	select {
	case <-v.done:
	case <-kill:
	}
	v.cancel()
	<-v.done
	v.expiry.Stop()
	err := v.d.Close()
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := len(v.pending); n > 0 && v.err == nil {
		v.err = v.notDelivered(v.pending[0], n, v.unfinished(n))
	}
	if err != nil && v.err == nil {
		v.err = &NotDeliveredError{Destination: v.o.Name, Err: err}
	}
	return v.err
}

// unfinished says why n records were not delivered at the end. v.mu is held.
func (v *Delivery) unfinished(n int) error {
	s := "1 event was in flight at the end"
	if n > 1 {
		s = fmt.Sprintf("%d events were in flight at the end", n)
	}
	if v.last == nil {
		return errors.New(s)
	}
	return fmt.Errorf("%s: %w", s, v.last)
}

// notDelivered is the error for records, of which r is the first.
func (v *Delivery) notDelivered(r Record, n int, why error) error {
	return &NotDeliveredError{Destination: v.o.Name, Records: n, ID: r.ID, Err: why}
}

// run delivers until the last record, or the first fatal failure.
func (v *Delivery) run() {
	defer close(v.done)
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.over = true
		v.room.Broadcast()
	}()
	var (
		failures int       // in a row
		since    time.Time // of the first of them
		troubled bool      // Retrying has been told since the last acknowledgment
	)
	for {
		batch, ok := v.take()
		if !ok {
			return
		}
		results := make([]error, len(batch))
		v.d.Deliver(v.ctx, batch, results)
		if v.ctx.Err() != nil && !slices.Contains(results, nil) {
			return
		}
		retry, fatal := v.settle(batch, results)
		if slices.Contains(results, nil) && troubled {
			troubled = false
			if v.o.Resumed != nil {
				v.o.Resumed()
			}
		}
		if fatal != nil {
			v.fail(fatal)
			return
		}
		if retry == nil {
			failures = 0
			continue
		}
		now := time.Now()
		if failures == 0 || slices.Contains(results, nil) {
			failures, since = 0, now
		}
		delay, why := v.delay(retry, failures, now.Sub(since))
		if why != nil {
			if err := v.bury(why); err != nil {
				v.fail(err)
				return
			}
			failures = 0
			continue
		}
		troubled = true
		if !v.pause(retry, delay) {
			return
		}
		failures++
	}
}

// delay returns the wait before the next attempt for what has failed so often in a row, for
// a time of tried; or why there is none.
func (v *Delivery) delay(err error, failures int, tried time.Duration) (delay time.Duration, why error) {
	var asked time.Duration
	if t, ok := errors.AsType[*TransientError](err); ok {
		asked = t.After
	}
	delay = v.o.Backoff.Delay(failures, rand.Float64(), asked)
	if v.o.RetryTime <= 0 {
		return delay, nil
	}
	switch left := v.o.RetryTime - tried; {
	case left <= 0:
		return 0, fmt.Errorf("%w (tried for %s)", err, roughly(tried))
	case asked > left: // an attempt before that would be in vain, and one after it too late
		return 0, fmt.Errorf("%w (asks to wait %s, which is longer than what is left of the time for retries)", err, roughly(asked))
	default:
		return min(delay, left), nil
	}
}

// roughly rounds a duration for people.
func roughly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// take returns what is to be delivered next, and false when there is nothing more.
func (v *Delivery) take() ([]Record, bool) {
	for {
		v.mu.Lock()
		n, closing := len(v.pending), v.closing
		batch := slices.Clone(v.pending[:min(n, v.o.InFlight)])
		v.mu.Unlock()
		if n > 0 {
			return batch, true
		}
		if closing {
			return nil, false
		}
		select {
		case <-v.wake:
		case <-v.ctx.Done():
			return nil, false
		}
	}
}

// settle removes what was acknowledged or refused. retry is the first result that is
// worth another attempt, fatal why the delivery has failed.
func (v *Delivery) settle(batch []Record, results []error) (retry, fatal error) {
	var rest []Record
	for i, err := range results {
		r := batch[i]
		switch _, refused := errors.AsType[*RefusedError](err); {
		case err == nil:
			v.count(func(c *Counts) { c.Delivered++ })
			v.finished(r, true)
		case fatal != nil:
			rest = append(rest, r)
		case refused:
			if fatal = v.dead(r, err); fatal != nil {
				rest = append(rest, r)
			}
		default:
			if _, ok := errors.AsType[*FatalError](err); ok {
				fatal = v.notDelivered(r, len(batch)-i, err)
			} else if retry == nil && !errors.Is(err, ErrNotTried) {
				retry = err
			}
			rest = append(rest, r)
		}
	}
	v.mu.Lock()
	v.pending = append(rest, v.pending[len(batch):]...)
	v.last = retry
	v.room.Broadcast()
	v.mu.Unlock()
	return retry, fatal
}

func (v *Delivery) count(add func(*Counts)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	add(&v.counts)
}

// dead gives a record up. It returns why the delivery has failed, or nil.
func (v *Delivery) dead(r Record, why error) error {
	if v.o.DeadLetter == nil {
		return v.notDelivered(r, 1, why)
	}
	if err := v.o.DeadLetter(r, why); err != nil {
		return v.notDelivered(r, 1, fmt.Errorf("%w; nor could it be written to the dead letters: %w", why, err))
	}
	v.count(func(c *Counts) { c.Dead++ })
	v.finished(r, false)
	return nil
}

func (v *Delivery) finished(r Record, acknowledged bool) {
	if v.o.Done != nil {
		v.o.Done(r, acknowledged)
	}
}

// bury gives up the record that is tried first.
func (v *Delivery) bury(why error) error {
	v.mu.Lock()
	r := v.pending[0]
	v.mu.Unlock()
	if err := v.dead(r, why); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending = v.pending[1:]
	v.room.Broadcast()
	return nil
}

// pause passes the time until the next attempt, and reports false when the Delivery ends
// before that.
func (v *Delivery) pause(err error, delay time.Duration) bool {
	v.count(func(c *Counts) { c.Retried++ })
	if v.o.Retrying != nil {
		v.o.Retrying(err, delay)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-v.ctx.Done():
		return false
	}
}

// fail ends the delivery.
func (v *Delivery) fail(err error) {
	v.mu.Lock()
	v.err = err
	v.room.Broadcast()
	v.mu.Unlock()
	if v.o.Failed != nil {
		v.o.Failed(err)
	}
}
