package cursor

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// A Position is that of a service, in one stream. It is used by one goroutine at a time.
type Position interface {
	// Move moves it over an event that is done; v is what the service has attached to the
	// event.
	Move(v any)
	// JSON returns what is stored of it; nil before there is anything.
	JSON() json.RawMessage
}

// maxIDs is how many ids of events are stored.
const maxIDs = 1000

// A SecretPosition is a Position with credentials in it.
type SecretPosition interface {
	Position
	// Secret returns the members of a position whose values are credentials; "." stands
	// for the whole position.
	Secret(position json.RawMessage) []string
}

// A Keeper saves a position at intervals while it moves. Its methods may be called from
// any goroutine.
type Keeper struct {
	file   *File
	failed func(error)
	stop   chan struct{}
	done   chan struct{}

	mu       sync.Mutex
	state    State // without its position
	position Position
	moved    bool  // since it was saved
	err      error // of the first Save that failed
}

// Keep starts a Keeper of a position. state is what the file contains or will contain,
// and failed is called once, with the error of a Save. Close must be called.
func Keep(f *File, state State, p Position, interval time.Duration, failed func(error)) *Keeper {
	k := &Keeper{file: f, failed: failed, stop: make(chan struct{}), done: make(chan struct{}), state: state, position: p}
	go k.run(interval)
	return k
}

func (k *Keeper) run(interval time.Duration) {
	defer close(k.done)
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := k.save(); err != nil {
				k.failed(err)
				return
			}
		case <-k.stop:
			return
		}
	}
}

// Move moves over an event that is done.
func (k *Keeper) Move(m Mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m.Position != nil {
		k.position.Move(m.Position)
	}
	if m.At.After(k.state.At) {
		k.state.At = m.At
	}
	if m.ID != "" {
		k.state.IDs = append(k.state.IDs, m.ID)
		if n := len(k.state.IDs); n > 2*maxIDs {
			k.state.IDs = slices.Clone(k.state.IDs[n-maxIDs:])
		}
	}
	k.moved = true
}

// Alive says that the stream is ready at a time. A file that has no position yet keeps the
// time, so that the next start knows since when events may be missing.
func (k *Keeper) Alive(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.After(k.state.At) && k.position.JSON() == nil {
		k.state.At, k.moved = at, true
	}
}

// save saves the position if it has moved.
func (k *Keeper) save() error {
	k.mu.Lock()
	if !k.moved || k.err != nil {
		defer k.mu.Unlock()
		return k.err
	}
	s := k.state
	s.IDs = slices.Clone(s.IDs[max(len(s.IDs)-maxIDs, 0):])
	s.Saved, s.Position = time.Now().UTC(), k.position.JSON()
	if p, ok := k.position.(SecretPosition); ok {
		s.Secret = p.Secret(s.Position)
	}
	k.moved = false
	k.mu.Unlock()
	s.At = s.At.UTC()
	err := k.file.Save(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
	return err
}

// Close saves the position a last time, and returns the error of the first Save that has
// failed. When the stream was alive until now, at is the time; otherwise it is zero.
func (k *Keeper) Close(at time.Time) error {
	close(k.stop)
	<-k.done
	k.mu.Lock()
	if at.After(k.state.At) {
		k.state.At, k.moved = at, true
	}
	k.mu.Unlock()
	return k.save()
}
