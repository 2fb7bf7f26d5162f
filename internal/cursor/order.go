package cursor

import (
	"sync"
	"time"
)

// A Mark is what is known of an event when it is done.
type Mark struct {
	// Position is where the stream is after the event, or what has happened to its
	// position; nil if it has not changed.
	Position any
	// At is when the event was received, ID its id at its service, if it has one.
	At time.Time
	ID string
	// Uncounted: it is not in the counters.
	Uncounted bool
}

// An Order moves over events in their order, whichever of them is done first. Its methods
// may be called from any goroutine.
type Order struct {
	// Move, if not nil, is called for each event that is done once all before it are, one
	// at a time.
	Move func(Mark)

	mu      sync.Mutex
	open    []event
	first   uint64 // number of the first of open
	counts  Counts
	changed chan struct{}
}

// An event is one that is not done, or that has to wait for one before it.
type event struct {
	mark         Mark
	parts        int  // that are not done
	acknowledged bool // one of them was
}

// Counts are about events of which parts were to be acknowledged.
type Counts struct {
	// Acknowledged is how many are done and were, at least in part; Open how many are not
	// done. The rest was not acknowledged.
	Acknowledged, Open uint64
}

// Begin begins an event, with one part that is not done, and returns its number. Events
// are begun in their order.
func (o *Order) Begin(m Mark) (n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = append(o.open, event{mark: m, parts: 1})
	if !m.Uncounted {
		o.counts.Open++
	}
	return o.first + uint64(len(o.open)) - 1
}

// Next returns the number of the event that will be begun next.
func (o *Order) Next() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.first + uint64(len(o.open))
}

// Part adds a part to an event that is not done.
func (o *Order) Part(n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[n-o.first].parts++
}

// Done says that a part of an event is done, and whether it was acknowledged.
func (o *Order) Done(n uint64, acknowledged bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := &o.open[n-o.first]
	e.acknowledged = e.acknowledged || acknowledged
	if e.parts--; e.parts > 0 {
		return
	}
	if !e.mark.Uncounted {
		if o.counts.Open--; e.acknowledged {
			o.counts.Acknowledged++
		}
	}
	o.advance()
	select {
	case o.changes() <- struct{}{}:
	default:
	}
}

// advance moves over what is done. o.mu is held.
func (o *Order) advance() {
	done := 0
	for done < len(o.open) && o.open[done].parts == 0 {
		if o.Move != nil {
			o.Move(o.open[done].mark)
		}
		done++
	}
	clear(o.open[:done])
	o.first, o.open = o.first+uint64(done), o.open[done:]
}

// Counts returns the counters.
func (o *Order) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts
}

// Changed gets a value after the counters have changed; several changes may be one. It is
// for one goroutine.
func (o *Order) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changes()
}

// changes returns the channel. o.mu is held.
func (o *Order) changes() chan struct{} {
	if o.changed == nil {
		o.changed = make(chan struct{}, 1)
	}
	return o.changed
}
