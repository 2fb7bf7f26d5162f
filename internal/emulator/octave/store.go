package octave

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// Identities that create events (public samples of Octave show the first).
const (
	systemID = "i000000000000000000000001"
	demoID   = "i5d873b00aa11bb22cc33dd44"
)

// A store contains the streams of the company and their events.
type store struct {
	made time.Time

	mu      sync.Mutex
	rand    *rand.Rand
	streams []*stream // in the order of creation
	byID    map[string]*stream
	byPath  map[string]*stream
	counter uint32 // the last part of event ids
}

// A stream is guarded by its store.
type stream struct {
	wire.Stream
	private     bool
	events      []wire.Event // oldest first, some beyond the capacity
	subscribers map[*subscriber]struct{}
}

// A subscriber gets the events of the streams that it is subscribed to.
type subscriber struct {
	box     *emulator.Mailbox
	streams map[*stream]struct{} // guarded by the store
}

func newSubscriber() *subscriber {
	return &subscriber{box: emulator.NewMailbox(), streams: make(map[*stream]struct{})}
}

func newStore(r *rand.Rand) *store {
	return &store{made: time.Now(), rand: r, byID: make(map[string]*stream), byPath: make(map[string]*stream)}
}

// streamID returns the id of a stream. It is derived from the path, so that it is the
// same in every emulator; it begins with the second of creation.
func streamID(path string) string {
	sum := sha256.Sum256([]byte(path))
	return "s6671a0f0" + hex.EncodeToString(sum[:8])
}

// create creates a stream, or returns nil if there is one with that path.
func (s *store) create(path, description string, capacity int) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPath[path] != nil {
		return nil
	}
	now := time.Now()
	st := &stream{
		Stream: wire.Stream{
			Capacity:     capacity,
			CreationDate: now.UnixMilli(),
			CreatorID:    demoID,
			Description:  description,
			ID:           streamID(path),
			LastEditDate: emulator.RawInt(now.UnixMilli()),
			LastEditorID: demoID,
			Path:         path,
		},
		subscribers: make(map[*subscriber]struct{}),
	}
	s.streams = append(s.streams, st)
	s.byID[st.ID], s.byPath[path] = st, st
	return st
}

// find returns a stream by id or by path, whichever is not empty.
func (s *store) find(id, path string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != "" {
		return s.byID[id]
	}
	return s.byPath[path]
}

// subscribe adds sub once, however often it is called; unsubscribe removes it.
func (s *store) subscribe(sub *subscriber, st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.subscribers[sub] = struct{}{}
	sub.streams[st] = struct{}{}
}

func (s *store) unsubscribe(sub *subscriber, st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(st.subscribers, sub)
	delete(sub.streams, st)
}

func (s *store) leave(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range sub.streams {
		delete(st.subscribers, sub)
	}
	clear(sub.streams)
}

// An origin is who created an event, and how.
type origin int

const (
	byDevice    origin = iota // the edge, some time ago
	byREST                    // both dates the same
	byDashboard               // a command: no generatedDate
)

// An input is an event to store in a stream.
type input struct {
	elems  json.RawMessage
	hash   *string
	origin origin
}

// publish stores an event and passes it to all subscribers of its stream.
func (s *store) publish(st *stream, in input) wire.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	e := wire.Event{
		CreationDate: now.UnixMilli(),
		CreatorID:    demoID,
		Elems:        in.elems,
		Hash:         emulator.MustJSON(in.hash),
		ID:           s.eventID(now),
		LastEditDate: emulator.RawNull(),
		Location:     emulator.RawNull(),
		Metadata:     emulator.RawNull(),
		Path:         st.Path,
		StreamID:     st.ID,
		Tags:         json.RawMessage("{}"),
	}
	switch in.origin {
	case byDevice:
		e.CreatorID = systemID
		e.GeneratedDate = emulator.RawInt(now.UnixMilli() - 200 - s.rand.Int64N(3000))
		if device, ok := strings.CutPrefix(st.Path, "/"+Company+"/devices/"); ok {
			name, _, _ := strings.Cut(device, "/")
			e.Tags = emulator.MustJSON(map[string]string{"device": name})
		}
	case byREST:
		e.GeneratedDate = emulator.RawInt(now.UnixMilli())
	case byDashboard:
		e.GeneratedDate = emulator.RawNull()
		e.LastEditDate, e.LastEditorID = emulator.RawInt(now.UnixMilli()), demoID
	}
	s.keep(st, &e)
	push := emulator.MustJSON(wire.Message{Type: wire.TypeMessage, Resource: st.ID, Value: emulator.MustJSON(e)})
	for sub := range st.subscribers {
		sub.box.Put(push)
	}
	return e
}

// keep stores e within the capacity of the stream: 0 stores nothing, 1 overwrites the
// one event, more evicts the oldest.
func (s *store) keep(st *stream, e *wire.Event) {
	switch {
	case st.Capacity == 0:
		return
	case st.Capacity == 1 && len(st.events) == 1:
		// The same event, edited. That its id does not change is an assumption.
		e.ID = st.events[0].ID
		e.LastEditDate, e.LastEditorID = emulator.RawInt(e.CreationDate), e.CreatorID
		st.events[0] = *e
		return
	}
	st.events = append(st.events, *e)
	// Not at each event, because the rest is moved.
	if over := len(st.events) - st.Capacity; over > st.Capacity/4 {
		st.events = slices.Delete(st.events, 0, over)
	}
}

// stored returns the events within the capacity, oldest first.
func (st *stream) stored() []wire.Event {
	return st.events[max(0, len(st.events)-st.Capacity):]
}

// eventID returns an id in the form of MongoDB: it begins with the second of creation,
// and increases within it.
func (s *store) eventID(now time.Time) string {
	s.counter++
	return fmt.Sprintf("e%08x%s%06x", uint32(now.Unix()), emulator.RandomHex(s.rand, 10), s.counter&0xFFFFFF)
}

// describe returns the description of a stream in the REST interface.
func (s *store) describe(st *stream) wire.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.Stream
}

// events returns the stored events of a stream, oldest first.
func (s *store) events(st *stream) []json.RawMessage {
	s.mu.Lock()
	kept := slices.Clone(st.stored())
	s.mu.Unlock()
	return encodeEvents(kept)
}

func encodeEvents(events []wire.Event) []json.RawMessage {
	texts := make([]json.RawMessage, len(events))
	for i, e := range events {
		texts[i] = emulator.MustJSON(e)
	}
	return texts
}

// eventsBelow merges the events of all streams whose path begins with prefix,
// oldest first.
func (s *store) eventsBelow(prefix string, may func(*stream) bool) []json.RawMessage {
	var all []wire.Event
	s.mu.Lock()
	for _, st := range s.streams {
		if strings.HasPrefix(st.Path, prefix) && may(st) {
			all = append(all, st.stored()...)
		}
	}
	s.mu.Unlock()
	slices.SortStableFunc(all, func(a, b wire.Event) int {
		return cmp.Or(cmp.Compare(a.CreationDate, b.CreationDate), cmp.Compare(a.ID, b.ID))
	})
	return encodeEvents(all)
}

// lastSeen returns when the last event below prefix was stored, or unless.
func (s *store) lastSeen(prefix string, unless time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := int64(0)
	for _, st := range s.streams {
		if n := len(st.events); n > 0 && strings.HasPrefix(st.Path, prefix) {
			last = max(last, st.events[n-1].CreationDate)
		}
	}
	if last == 0 {
		return unless
	}
	return time.UnixMilli(last)
}

// list returns the streams that a reader may see, sorted by path.
func (s *store) list(may func(*stream) bool) []wire.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var streams []wire.Stream
	for _, st := range s.streams {
		if may(st) {
			streams = append(streams, st.Stream)
		}
	}
	slices.SortFunc(streams, func(a, b wire.Stream) int { return cmp.Compare(a.Path, b.Path) })
	return streams
}
