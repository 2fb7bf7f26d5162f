package emulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// eventsPath is where tests publish events of any service: POST, NDJSON, in the forms
// of Publish. Services with their own publish calls have those too.
const eventsPath = "/emulator/events"

// maxLine is the longest line of events, in bytes.
const maxLine = 64 << 20

var errNoService = errors.New("no service of this emulator has events of this form")

// Publish passes one event to its listeners. It is a JSON object in the form in which
// the service sends it, so that the output of hark can be used:
//
//	{"type":"message","value":{"path":"/demo/stream","elems":{…}}}   or the value alone
//	{"type":"io.drogue.event.v1","subject":CHANNEL,"device":…,"data":…}
//	{"emit":["order_created",{…}]}
//
// The service fills in what is omitted.
func (e *Emulator) Publish(event []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return fmt.Errorf("event is not a JSON object: %w", err)
	}
	for _, s := range e.services {
		if s.Owns(members) {
			return s.Take(event)
		}
	}
	return errNoService
}

// Feed publishes the lines of r, at a rate in events per second, or as they are read if
// it is 0. It waits for a listener first. It returns at the end of r, if r fails, or
// when ctx is done, but not while it is blocked in a read of r. bad is called for each
// line that is not an event, which is skipped.
func (e *Emulator) Feed(ctx context.Context, r io.Reader, rate float64, bad func(line int, err error)) error {
	select {
	case <-e.live.opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.ctx.Done():
		return nil
	}
	var ticks <-chan time.Time
	if rate > 0 {
		ticker := time.NewTicker(max(time.Duration(float64(time.Second)/rate), time.Microsecond))
		defer ticker.Stop()
		ticks = ticker.C
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if ticks != nil {
			select {
			case <-ticks:
			case <-ctx.Done():
			case <-e.ctx.Done():
				return nil
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := e.Publish(lines.Bytes()); err != nil {
			bad(n, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d MiB", n, maxLine>>20)
	} else if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

// serveEvents publishes the lines of a request.
func (e *Emulator) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "events are published with POST", http.StatusMethodNotAllowed)
		return
	}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := e.Publish(lines.Bytes()); err != nil {
			http.Error(w, fmt.Sprintf("line %d: %v", n, err), http.StatusBadRequest)
			return
		}
	}
	if err := lines.Err(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// A gate opens once, when the first client listens.
type gate struct {
	once   sync.Once
	opened chan struct{}
	parent *gate // opens with it; or nil
}

func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) open() {
	g.once.Do(func() { close(g.opened) })
	if g.parent != nil {
		g.parent.open()
	}
}
