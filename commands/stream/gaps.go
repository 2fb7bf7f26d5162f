package stream

import (
	"cmp"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/cursor"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// gapType is the CloudEvents type of a gap in the stream.
const gapType = "hark.gap"

// gaps delivers gaps in the stream, with --to-gaps, in the order of the events around
// them. The connection reports a gap while events before it may still wait for the
// destination.
type gaps struct {
	v *delivering

	mu      sync.Mutex
	waiting []proto.Gap
	idle    bool // no event waits
	count   int
}

// report takes a gap. It does not block, because the connection waits for it.
func (g *gaps) report(gap proto.Gap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, gap)
	if g.idle {
		g.deliver(time.Time{})
	}
}

// event delivers the gaps before an event that was received at a time.
func (g *gaps) event(received time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle = false
	g.deliver(received)
}

// flush delivers all gaps so far, because no event waits.
func (g *gaps) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle = true
	g.deliver(time.Time{})
}

// deliver delivers the gaps before an event that was received at a time, or all of them. A
// clock may give the events around a gap the same time. g.mu must be held.
func (g *gaps) deliver(before time.Time) {
	for len(g.waiting) > 0 && (before.IsZero() || g.waiting[0].From.Before(before) || !before.Before(g.waiting[0].To)) {
		g.count++
		r := g.record(g.waiting[0], time.Now())
		r.Event = g.v.s.tracking.order.Begin(cursor.Mark{Uncounted: true})
		g.v.delivery.Add(r)
		g.waiting = g.waiting[1:]
	}
}

// record returns what is delivered of a gap. Its id is different in each run.
func (g *gaps) record(gap proto.Gap, now time.Time) destination.Record {
	s := g.v.s
	source := ""
	if s.describe != nil {
		source = s.describe(proto.Message{}).Source
	}
	type details struct {
		From     time.Time `json:"from"`
		To       time.Time `json:"to"`
		Reason   string    `json:"reason,omitempty"`
		Unfilled string    `json:"unfilled,omitempty"`
		Missing  uint64    `json:"missing,omitempty"`
	}
	e := struct {
		SpecVersion string    `json:"specversion"`
		ID          string    `json:"id"`
		Source      string    `json:"source"`
		Type        string    `json:"type"`
		Time        time.Time `json:"time"`
		ContentType string    `json:"datacontenttype"`
		Data        details   `json:"data"`
	}{
		"1.0", fmt.Sprintf("%s-gap-%d", s.RunID, g.count), cmp.Or(source, "hark:stream"), gapType, gap.To.UTC(), "application/json",
		details{gap.From.UTC(), gap.To.UTC(), gap.Reason, gap.Unfilled, gap.Missing},
	}
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts and times can always be encoded
	}
	return destination.Record{ID: e.ID, Type: gapType, Received: now, Data: s.Say.Bytes(data), CloudEvent: true}
}
