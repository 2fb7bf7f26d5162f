package emulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// Identities that make events (public samples of Octave show the first).
const (
	octaveSystem = "i000000000000000000000001"
	octaveDemoID = "i5d873b00aa11bb22cc33dd44"
)

// An octaveStore holds the streams of the company and their events.
type octaveStore struct {
	made time.Time

	mu      sync.Mutex
	rand    *rand.Rand
	streams []*octaveStream // in the order of creation
	byID    map[string]*octaveStream
	byPath  map[string]*octaveStream
	counter uint32 // the last part of event ids
}

// An octaveStream is guarded by its store.
type octaveStream struct {
	wire.OctaveStream
	private     bool
	events      []wire.OctaveEvent // oldest first, some beyond the capacity
	subscribers map[*octaveSubscriber]struct{}
}

// An octaveSubscriber gets the events of the streams that it is entered in.
type octaveSubscriber struct {
	box     *mailbox
	streams map[*octaveStream]struct{} // guarded by the store
}

func newOctaveSubscriber() *octaveSubscriber {
	return &octaveSubscriber{box: newMailbox(), streams: make(map[*octaveStream]struct{})}
}

func newOctaveStore(r *rand.Rand) *octaveStore {
	return &octaveStore{made: time.Now(), rand: r, byID: make(map[string]*octaveStream), byPath: make(map[string]*octaveStream)}
}

// streamID makes the id of a stream. It follows from the path, so that it is the
// same in every emulator; its beginning stands for a second of creation.
func streamID(path string) string {
	sum := sha256.Sum256([]byte(path))
	return "s6671a0f0" + hex.EncodeToString(sum[:8])
}

// create makes a stream, or returns nil when there is one of that path.
func (s *octaveStore) create(path, description string, capacity int) *octaveStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPath[path] != nil {
		return nil
	}
	now := time.Now()
	st := &octaveStream{
		OctaveStream: wire.OctaveStream{
			Capacity:     capacity,
			CreationDate: now.UnixMilli(),
			CreatorID:    octaveDemoID,
			Description:  description,
			ID:           streamID(path),
			LastEditDate: rawInt(now.UnixMilli()),
			LastEditorID: octaveDemoID,
			Path:         path,
		},
		subscribers: make(map[*octaveSubscriber]struct{}),
	}
	s.streams = append(s.streams, st)
	s.byID[st.ID], s.byPath[path] = st, st
	return st
}

// find looks a stream up by id or by path, whichever is not empty.
func (s *octaveStore) find(id, path string) *octaveStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != "" {
		return s.byID[id]
	}
	return s.byPath[path]
}

// subscribe enters sub once, however often it is called; unsubscribe ends it.
func (s *octaveStore) subscribe(sub *octaveSubscriber, st *octaveStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.subscribers[sub] = struct{}{}
	sub.streams[st] = struct{}{}
}

func (s *octaveStore) unsubscribe(sub *octaveSubscriber, st *octaveStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(st.subscribers, sub)
	delete(sub.streams, st)
}

func (s *octaveStore) leave(sub *octaveSubscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range sub.streams {
		delete(st.subscribers, sub)
	}
	clear(sub.streams)
}

// An octaveOrigin says who made an event, and how.
type octaveOrigin int

const (
	byDevice    octaveOrigin = iota // the edge, some time ago
	byREST                          // both dates the same
	byDashboard                     // a command: no generatedDate
)

// An octaveInput is what somebody writes into a stream.
type octaveInput struct {
	elems  json.RawMessage
	hash   *string
	origin octaveOrigin
}

// publish stores an event and gives it to all who are subscribed to its stream.
func (s *octaveStore) publish(st *octaveStream, in octaveInput) wire.OctaveEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	e := wire.OctaveEvent{
		CreationDate: now.UnixMilli(),
		CreatorID:    octaveDemoID,
		Elems:        in.elems,
		Hash:         mustJSON(in.hash),
		ID:           s.eventID(now),
		LastEditDate: rawNull(),
		Location:     rawNull(),
		Metadata:     rawNull(),
		Path:         st.Path,
		StreamID:     st.ID,
		Tags:         json.RawMessage("{}"),
	}
	switch in.origin {
	case byDevice:
		e.CreatorID = octaveSystem
		e.GeneratedDate = rawInt(now.UnixMilli() - 200 - s.rand.Int64N(3000))
		if device, ok := strings.CutPrefix(st.Path, "/"+OctaveCompany+"/devices/"); ok {
			name, _, _ := strings.Cut(device, "/")
			e.Tags = mustJSON(map[string]string{"device": name})
		}
	case byREST:
		e.GeneratedDate = rawInt(now.UnixMilli())
	case byDashboard:
		e.GeneratedDate = rawNull()
		e.LastEditDate, e.LastEditorID = rawInt(now.UnixMilli()), octaveDemoID
	}
	s.keep(st, &e)
	push := mustJSON(wire.OctaveMessage{Type: wire.OctaveTypeMessage, Resource: st.ID, Value: mustJSON(e)})
	for sub := range st.subscribers {
		sub.box.put(push)
	}
	return e
}

// keep stores e as the capacity of the stream demands: 0 stores nothing, 1
// overwrites the one event, more evicts the oldest.
func (s *octaveStore) keep(st *octaveStream, e *wire.OctaveEvent) {
	switch {
	case st.Capacity == 0:
		return
	case st.Capacity == 1 && len(st.events) == 1:
		// The same event, edited. That it keeps its id is an assumption.
		e.ID = st.events[0].ID
		e.LastEditDate, e.LastEditorID = rawInt(e.CreationDate), e.CreatorID
		st.events[0] = *e
		return
	}
	st.events = append(st.events, *e)
	// Not at each event: the rest moves down.
	if over := len(st.events) - st.Capacity; over > st.Capacity/4 {
		st.events = slices.Delete(st.events, 0, over)
	}
}

// kept are the events within the capacity, oldest first.
func (st *octaveStream) kept() []wire.OctaveEvent {
	return st.events[max(0, len(st.events)-st.Capacity):]
}

// eventID begins with the second of the creation, as the form of MongoDB that it
// has wants it, and grows within it.
func (s *octaveStore) eventID(now time.Time) string {
	s.counter++
	return fmt.Sprintf("e%08x%s%06x", uint32(now.Unix()), randomHex(s.rand, 10), s.counter&0xFFFFFF)
}

// describe returns what the REST interface says of a stream.
func (s *octaveStore) describe(st *octaveStream) wire.OctaveStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.OctaveStream
}

// events returns what a stream keeps, oldest first.
func (s *octaveStore) events(st *octaveStream) []json.RawMessage {
	s.mu.Lock()
	kept := slices.Clone(st.kept())
	s.mu.Unlock()
	return encodeEvents(kept)
}

func encodeEvents(events []wire.OctaveEvent) []json.RawMessage {
	texts := make([]json.RawMessage, len(events))
	for i, e := range events {
		texts[i] = mustJSON(e)
	}
	return texts
}

// eventsBelow merges the events of all streams whose path begins with prefix,
// oldest first.
func (s *octaveStore) eventsBelow(prefix string, may func(*octaveStream) bool) []json.RawMessage {
	var all []wire.OctaveEvent
	s.mu.Lock()
	for _, st := range s.streams {
		if strings.HasPrefix(st.Path, prefix) && may(st) {
			all = append(all, st.kept()...)
		}
	}
	s.mu.Unlock()
	slices.SortStableFunc(all, func(a, b wire.OctaveEvent) int {
		return cmp.Or(cmp.Compare(a.CreationDate, b.CreationDate), cmp.Compare(a.ID, b.ID))
	})
	return encodeEvents(all)
}

// lastSeen is when the last event below prefix was stored, or unless.
func (s *octaveStore) lastSeen(prefix string, unless time.Time) time.Time {
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
func (s *octaveStore) list(may func(*octaveStream) bool) []wire.OctaveStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var streams []wire.OctaveStream
	for _, st := range s.streams {
		if may(st) {
			streams = append(streams, st.OctaveStream)
		}
	}
	slices.SortFunc(streams, func(a, b wire.OctaveStream) int { return cmp.Compare(a.Path, b.Path) })
	return streams
}

func rawInt(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }

func rawNull() json.RawMessage { return json.RawMessage("null") }
