package octave

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/hark-cli/hark/proto"
)

// A moved is what is attached to an event: what has become of the position in its
// stream. Without an event it is a new beginning, such as the time of the subscription.
type moved struct {
	stream string
	id     string // of the stream; "" while unknown
	// from is the creationDate from which stored events may be missing.
	from int64
	// event is nil without an event; mark is then the date up to which events are done,
	// and timed reports whether that is a time rather than an event's date.
	event *doneEvent
	mark  int64
	timed bool
}

// A doneEvent identifies a version of an event in a file.
type doneEvent struct {
	ID      string `json:"id"`
	Created int64  `json:"created"`
	Edited  int64  `json:"edited,omitempty"`
	// Hash is that of the payload; 0 for a stream whose capacity is known not to be 1. The
	// event of a stream of capacity 1 is overwritten.
	Hash uint64 `json:"hash,omitempty"`
}

// position is where a run is in its streams, as far as events are done: the position of
// a file.
type position struct{ streams map[string]*streamPosition }

// A streamPosition is a position in one stream. Times are creationDates.
type streamPosition struct {
	ID string `json:"id,omitempty"`
	// From is the time from which stored events are requested, and Mark the date of the
	// last event that is done or, with Timed, the time of the subscription.
	From  int64 `json:"from"`
	Mark  int64 `json:"mark"`
	Timed bool  `json:"timed,omitempty"`
	// Done are the events since From that are done.
	Done []doneEvent `json:"done,omitempty"`
}

// Move implements proto.Position.
func (p *position) Move(v any) {
	switch v := v.(type) {
	case *moved:
		p.move(v)
	case []*moved:
		for _, m := range v {
			p.move(m)
		}
	}
}

func (p *position) move(m *moved) {
	s := p.streams[m.stream]
	if s == nil {
		s = &streamPosition{}
		p.streams[m.stream] = s
	}
	s.ID = cmp.Or(m.id, s.ID)
	s.From = m.from
	if m.event == nil {
		s.Mark, s.Timed = m.mark, m.timed
		return
	}
	if e := m.event; e.Created > s.Mark || s.Timed && e.Created == s.Mark {
		s.Mark, s.Timed = e.Created, false
	}
	s.Done = append(s.Done, *m.event)
	// Events are almost in the order of their dates, so this drops nearly all that it can.
	n := 0
	for n < len(s.Done) && s.Done[n].Created < s.From {
		n++
	}
	s.Done = s.Done[n:]
}

// JSON implements proto.Position.
func (p *position) JSON() json.RawMessage {
	if len(p.streams) == 0 {
		return nil
	}
	for _, s := range p.streams {
		s.Done = slices.DeleteFunc(s.Done, func(e doneEvent) bool { return e.Created < s.From })
	}
	b, err := json.Marshal(p.streams)
	if err != nil {
		panic(err) // numbers and texts can always be encoded
	}
	return b
}

// Resume implements proto.Resumer.
func (o *Service) Resume(stored []byte) (proto.Service, proto.Position, error) {
	if o.API == nil || o.API.Base == "" {
		return nil, nil, errors.New("stored events come from the REST interface, whose address is not known: --api sets it")
	}
	p := &position{streams: make(map[string]*streamPosition)}
	resumed := *o
	resumed.positions = true
	if len(stored) > 0 {
		if err := json.Unmarshal(stored, &p.streams); err != nil || p.streams == nil {
			return nil, nil, errors.New("the position is not one of Octave")
		}
		for name, s := range p.streams {
			if s == nil || s.Mark <= 0 || s.From <= 0 {
				return nil, nil, fmt.Errorf("the position in %s is not one of Octave", name)
			}
		}
		resumed.stored = make(map[string]streamPosition, len(p.streams))
		for name, s := range p.streams {
			c := *s
			c.Done = slices.Clone(c.Done)
			resumed.stored[name] = c
		}
	}
	return &resumed, p, nil
}

// restore sets the marks of streams as they are stored. A stream without a position is
// new among those of a device or below a prefix: what it has since the others were last
// heard of was missed, too.
func (c *cursor) restore(stored map[string]streamPosition) {
	latest := int64(0)
	for _, p := range stored {
		latest = max(latest, p.Mark)
	}
	for _, m := range c.streams {
		p, ok := stored[m.name]
		if !ok {
			m.mark, m.timed, m.floor = latest, true, latest-c.overlap.Milliseconds()-1
			continue
		}
		if m.id == "" && p.ID != "" && c.byID[p.ID] == nil {
			m.id = p.ID
			c.byID[m.id] = m
		}
		m.mark, m.timed = p.Mark, p.Timed
		m.floor = p.From - 1
		if p.From < p.Mark-c.overlap.Milliseconds() {
			m.unverified = p.From
		}
		m.before = make(map[doneEvent]uint64, len(p.Done))
		for _, e := range p.Done {
			hash := e.Hash
			e.Hash = 0
			m.before[e] = hash
		}
	}
	c.started, c.initial = true, true
}

// doneBefore reports whether an event was done in an earlier process.
func (m *progress) doneBefore(e *eventInfo) bool {
	if len(m.before) == 0 {
		return false
	}
	hash, ok := m.before[doneEvent{ID: string(e.id), Created: e.created, Edited: e.edited}]
	return ok && (m.capacity != 1 || hash == 0 || hash == m.doneEvent(e).Hash)
}

func (m *progress) doneEvent(e *eventInfo) doneEvent {
	d := doneEvent{ID: string(e.id), Created: e.created, Edited: e.edited}
	if m.capacity == 1 || m.capacity < 0 {
		h := fnv.New64a()
		_, _ = h.Write(bytes.TrimSpace(e.elems))
		d.Hash = h.Sum64() >> 11 // a number that JSON can represent
	}
	return d
}

// gave returns the position after an event that was returned just now. There must be
// positions.
func (c *cursor) gave(m *progress, e *eventInfo) *moved {
	d := m.doneEvent(e)
	return &moved{stream: m.name, id: m.id, from: m.from(c.overlap), event: &d}
}

// beginnings returns, once, where the streams begin.
func (c *cursor) beginnings() (list []*moved) {
	if !c.positions || !c.started || c.stated {
		return nil
	}
	c.stated = true
	for _, m := range c.streams {
		list = append(list, &moved{stream: m.name, id: m.id, from: m.from(c.overlap), mark: m.mark, timed: m.timed})
	}
	return list
}

// begunStreams returns that as an effect.
func (c *cursor) begunStreams() []proto.Effect {
	if list := c.beginnings(); list != nil {
		return []proto.Effect{proto.Moved{Position: list}}
	}
	return nil
}

// pushed returns the effect of a pushed event on the position.
func (c *cursor) pushed(m *progress, e *eventInfo) []proto.Effect {
	if !c.positions {
		return nil
	}
	if list := c.beginnings(); list != nil {
		return []proto.Effect{proto.Moved{Position: append(list, c.gave(m, e))}}
	}
	return []proto.Effect{proto.Moved{Position: c.gave(m, e)}}
}
