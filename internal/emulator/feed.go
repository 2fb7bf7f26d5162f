package emulator

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/proto/wire"
)

// eventsPath is where tests publish events of any service: POST, NDJSON, in the
// forms of Publish. The services that have publish calls of their own have them
// too.
const eventsPath = "/emulator/events"

// maxLine bounds a line of events, in bytes.
const maxLine = 64 << 20

var errNoService = errors.New("no service of this emulator has events of this form")

// Publish gives one event to its listeners now. It is a JSON object in the form
// in which the service sends it, so that what hark has printed can be played
// back:
//
//	{"type":"message","value":{"path":"/demo/stream","elems":{…}}}   or the value alone
//	{"type":"io.drogue.event.v1","subject":CHANNEL,"device":…,"data":…}
//	{"emit":["order_created",{…}]}
//
// What is left out is filled in: DemoStream, DemoApplication, DemoLocation. A
// stream that does not exist is made. An "id" of a Drogue event is kept; "pos":true
// beside emit sends to points of sale instead of apps.
func (e *Emulator) Publish(event []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return fmt.Errorf("event is not a JSON object: %w", err)
	}
	for _, s := range e.services {
		if s.owns(members) {
			return s.take(event)
		}
	}
	return errNoService
}

// Feed publishes the lines of r, at a rate in events per second, or as they come
// when it is 0. It waits until somebody listens, and returns at the end of r, when r
// fails, or with the end of ctx, but not while it waits for r. bad is told of each
// line that is no event, which is left out.
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

func (o *octave) owns(members map[string]json.RawMessage) bool {
	return members["elems"] != nil || members["value"] != nil
}

func (o *octave) take(event []byte) error {
	var m struct {
		wire.OctaveMessage
		Path     string          `json:"path"`
		StreamID string          `json:"streamId"`
		Elems    json.RawMessage `json:"elems"`
		Hash     *string         `json:"hash"`
	}
	if err := json.Unmarshal(event, &m); err != nil {
		return fmt.Errorf("octave event: %w", err)
	}
	if m.Value != nil {
		if err := json.Unmarshal(m.Value, &m); err != nil {
			return fmt.Errorf("octave event: %w", err)
		}
	}
	if !bytes.HasPrefix(m.Elems, []byte("{")) {
		return errors.New("octave event: elems is not an object")
	}
	path := cmp.Or(m.Path, DemoStream)
	st := o.store.find("", path)
	if m.Path == "" && m.StreamID != "" {
		if st = o.store.find(m.StreamID, ""); st == nil {
			return fmt.Errorf("octave event: no stream %s", m.StreamID)
		}
	}
	if st == nil {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("octave event: path %q does not begin with /", path)
		}
		// Somebody else may make it at the same time.
		o.store.create(path, "", wire.OctaveCapacityDefault)
		st = o.store.find("", path)
	}
	o.store.publish(st, octaveInput{elems: m.Elems, hash: m.Hash, origin: byDevice})
	return nil
}

func (d *drogue) owns(members map[string]json.RawMessage) bool {
	return members["emit"] == nil && (members["specversion"] != nil || members["data"] != nil || members["data_base64"] != nil)
}

func (d *drogue) take(event []byte) error {
	var e wire.DrogueEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return fmt.Errorf("drogue event: %w", err)
	}
	name := cmp.Or(e.Extension(wire.DrogueApplication), DemoApplication)
	app := d.apps[name]
	if app == nil {
		return fmt.Errorf("drogue event: no application %q", name)
	}
	device := cmp.Or(e.Extension(wire.DrogueDevice), e.Extension(wire.DrogueSender), "demo-device")
	in := drogueInput{
		kind: cmp.Or(e.Type, wire.DrogueTypeEvent), id: e.ID, channel: e.Subject, device: device,
		sender: cmp.Or(e.Extension(wire.DrogueSender), device), contentType: e.DataContentType, dataSchema: e.DataSchema,
	}
	own := map[string]bool{
		wire.DrogueApplication: true, wire.DrogueApplicationUID: true, wire.DrogueDevice: true, wire.DrogueDeviceUID: true,
		wire.DrogueSender: true, wire.DrogueSenderUID: true, wire.DrogueInstance: true, wire.DroguePartitionKey: true,
	}
	for _, x := range e.Extensions {
		if !own[x.Name] {
			in.extensions = append(in.extensions, x)
		}
	}
	if err := in.setData(e); err != nil {
		return err
	}
	d.publish(app, in)
	return nil
}

// setData takes the payload of an event over as a device would have sent it.
func (in *drogueInput) setData(e wire.DrogueEvent) (err error) {
	media, _, _ := mime.ParseMediaType(e.DataContentType)
	switch text := ""; {
	case e.DataBase64 != nil:
		if in.payload, err = base64.StdEncoding.DecodeString(*e.DataBase64); err != nil {
			return fmt.Errorf("drogue event: data_base64: %w", err)
		}
	case e.Data == nil:
	case media == "" || isJSONType(media):
		in.payload, in.contentType = e.Data, cmp.Or(in.contentType, "application/json")
	case json.Unmarshal(e.Data, &text) == nil:
		in.payload = []byte(text)
	default:
		return fmt.Errorf("drogue event: data is no string although it is %s", media)
	}
	return nil
}

func (d *doshii) owns(members map[string]json.RawMessage) bool { return members["emit"] != nil }

func (d *doshii) take(event []byte) error {
	var m struct {
		wire.DoshiiMessage
		POS bool `json:"pos"`
	}
	if err := json.Unmarshal(event, &m); err != nil {
		return fmt.Errorf("doshii event: %w", err)
	}
	name, ok := m.Emit.Name()
	if !ok {
		return errors.New("doshii event: emit is not [name, payload]")
	}
	e := doshiiEvent{name: name, payload: m.Emit.Payload(), location: DemoLocation, pos: m.POS}
	var where struct {
		Location string `json:"locationId"`
		Terminal string `json:"posTerminalId"`
	}
	// A payload of another kind has no location.
	_ = json.Unmarshal(e.payload, &where)
	e.location, e.terminal = cmp.Or(where.Location, DemoLocation), where.Terminal
	d.publish(e)
	return nil
}
