package octave

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// apiPath is the path of the REST interface, followed by the company.
const apiPath = "/v5.0"

// octaveIdentity is the user of the master token.
const companyID = "c5d873b00aa11bb22cc33dd01"

// A restCall is one request to the REST interface.
type restCall struct {
	*server
	w      http.ResponseWriter
	r      *http.Request
	access access
}

// serveREST answers a request below apiPath; path is what follows.
func (o *server) serveREST(w http.ResponseWriter, r *http.Request, path string) {
	if _, ok := o.host.Admit(w, r, false, refuse); !ok {
		return
	}
	company, path, _ := strings.Cut(strings.Trim(path, "/"), "/")
	authCompany := company
	if company == "global" {
		authCompany = Company
	}
	access, refusal := o.authenticate(r, authCompany)
	if refusal == "" && access.restricted && o.opts.NoRestrictedREST {
		refusal = "the token has no right to the REST interface"
	}
	if refusal != "" {
		refuse(w, http.StatusForbidden, refusal)
		return
	}
	c := &restCall{o, w, r, access}
	kind, rest, _ := strings.Cut(path, "/")
	switch kind := company + "/" + kind; {
	case company == "global":
		c.global(path)
	case kind == company+"/stream":
		c.streams(rest)
	case kind == company+"/event":
		c.events(rest)
	case kind == company+"/device":
		c.devices(rest)
	default:
		c.notFound()
	}
}

func (c *restCall) notFound() { refuse(c.w, http.StatusNotFound, wire.NotFound) }

func (c *restCall) bad(format string, args ...any) {
	refuse(c.w, http.StatusBadRequest, fmt.Sprintf(format, args...))
}

// ok responds with a body: 200, or 201 if something was created.
func (c *restCall) ok(status int, body any) {
	text := wire.Processed
	if status == http.StatusCreated {
		text = wire.Created
	}
	answer(c.w, wire.Head{
		OK: true, Status: status, Errors: []string{}, Messages: []string{text}, References: json.RawMessage("{}"),
	}, body)
}

// method refuses methods other than these.
func (c *restCall) method(allowed ...string) bool {
	if slices.Contains(allowed, c.r.Method) {
		return true
	}
	refuse(c.w, http.StatusMethodNotAllowed, "possible here: "+strings.Join(allowed, ", "))
	return false
}

// list responds with the objects selected by the query parameters.
func (c *restCall) list(objects []json.RawMessage) {
	q, err := parseQuery(c.r.URL.Query())
	if err != nil {
		c.bad("%v", err)
		return
	}
	objects, err = q.apply(objects)
	if err != nil {
		refuse(c.w, http.StatusInternalServerError, err.Error())
		return
	}
	c.ok(http.StatusOK, objects)
}

// read decodes the body of a request.
func (c *restCall) read(v any) bool {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, 1<<20))
	if err != nil {
		refuse(c.w, http.StatusRequestEntityTooLarge, "the body is too large")
		return false
	}
	if err := json.Unmarshal(b, v); err != nil {
		c.bad("the body is not the JSON that is expected: %v", err)
		return false
	}
	return true
}

func (c *restCall) global(path string) {
	company := map[string]any{"id": companyID, "name": Company, "displayName": "Demo company"}
	switch {
	case !c.method(http.MethodGet):
	case path == "identity" && !c.access.restricted:
		c.ok(http.StatusOK, map[string]any{"id": demoID, "name": User, "companies": []string{companyID}})
	case path == "company":
		c.ok(http.StatusOK, []any{company})
	case path == "company/"+companyID:
		c.ok(http.StatusOK, company)
	default:
		c.notFound()
	}
}

// streams lists, reads and creates streams.
func (c *restCall) streams(id string) {
	switch {
	case id == "" && c.r.Method == http.MethodPost:
		c.createStream()
	case !c.method(http.MethodGet):
	case id == "":
		var texts []json.RawMessage
		for _, st := range c.store.list(c.access.mayRead) {
			texts = append(texts, emulator.MustJSON(st))
		}
		c.list(texts)
	default:
		if st := c.stream(id, ""); st != nil {
			c.ok(http.StatusOK, c.store.describe(st))
		}
	}
}

func (c *restCall) createStream() {
	var body struct {
		Path        string `json:"path"`
		Description string `json:"description"`
		Capacity    *int   `json:"capacity"`
	}
	if !c.read(&body) {
		return
	}
	capacity := wire.CapacityDefault
	if body.Capacity != nil {
		capacity = *body.Capacity
	}
	switch {
	case c.access.restricted:
		refuse(c.w, http.StatusForbidden, "no right to create streams")
	case !strings.HasPrefix(body.Path, "/"+Company+"/") || len(body.Path) > 128:
		c.bad("path must begin with /%s/ and have at most 128 characters", Company)
	case capacity < 0 || capacity > wire.CapacityMax:
		c.bad("capacity must be from 0 to %d", wire.CapacityMax)
	default:
		st := c.store.create(body.Path, body.Description, capacity)
		if st == nil {
			c.bad("there is a stream %s", body.Path)
			return
		}
		c.ok(http.StatusCreated, c.store.describe(st))
	}
}

// stream returns a stream that may be read, or responds with an error.
func (c *restCall) stream(id, path string) *stream {
	st := c.store.find(id, path)
	switch {
	case st == nil:
		c.notFound()
	case !c.access.mayRead(st):
		refuse(c.w, http.StatusForbidden, "no right to read this stream")
	default:
		return st
	}
	return nil
}

// events lists and creates the events of a stream, by id or by path.
func (c *restCall) events(id string) {
	if c.r.Method == http.MethodPost {
		c.createEvent(id)
		return
	}
	if !c.method(http.MethodGet, http.MethodPost) {
		return
	}
	path := c.r.URL.Query().Get("path")
	if id == "" && path == "" {
		c.bad("either a stream id or path is required")
		return
	}
	if st := c.stream(id, path); st != nil {
		c.list(c.store.events(st))
	}
}

func (c *restCall) createEvent(id string) {
	var body struct {
		Path  string          `json:"path"`
		Elems json.RawMessage `json:"elems"`
		Hash  *string         `json:"hash"`
	}
	if !c.read(&body) {
		return
	}
	if id == "" && body.Path == "" {
		// One edition of the documentation has the path in elems.
		var among struct {
			Path string `json:"path"`
		}
		_ = json.Unmarshal(body.Elems, &among)
		body.Path = among.Path
	}
	switch {
	case !bytes.HasPrefix(body.Elems, []byte("{")):
		c.bad("elems is required, an object")
	case id == "" && body.Path == "":
		c.bad("either a stream id or path is required")
	case c.access.restricted:
		refuse(c.w, http.StatusForbidden, "no right to create events")
	default:
		if st := c.stream(id, body.Path); st != nil {
			c.created(st, emulator.MustJSON(body.Elems), body.Hash)
		}
	}
}

// created publishes an event and responds with it. Unlike a stored event the response
// has a version, and no members that are null.
func (c *restCall) created(st *stream, elems json.RawMessage, hash *string) {
	e := c.store.publish(st, input{elems: elems, hash: hash, origin: byREST})
	c.ok(http.StatusCreated, wire.Event{
		CreationDate: e.CreationDate, Elems: e.Elems, GeneratedDate: e.GeneratedDate,
		ID: e.ID, Path: e.Path, StreamID: e.StreamID, Version: emulator.RawInt(0),
	})
}

// devices lists the devices, and the events of all streams of one.
func (c *restCall) devices(path string) {
	if !c.method(http.MethodGet) {
		return
	}
	events := false
	if rest, ok := strings.CutPrefix(path, "events/"); ok {
		path, events = rest, true
	}
	var texts []json.RawMessage
	for _, name := range devices() {
		d := c.device(name)
		switch {
		case path == "":
			texts = append(texts, emulator.MustJSON(d))
		case path != name && path != d["id"]:
		case events:
			c.list(c.store.eventsBelow(d["path"].(string)+"/", c.access.mayRead))
			return
		default:
			c.ok(http.StatusOK, d)
			return
		}
	}
	if path != "" {
		c.notFound()
		return
	}
	c.list(texts)
}

// device describes a device. Octave returns when it was last seen, not whether it is
// online.
func (c *restCall) device(name string) map[string]any {
	path := "/" + Company + "/devices/" + name
	return map[string]any{
		"id": "d" + streamID(path)[1:], "name": name, "path": path, "creationDate": c.store.made.UnixMilli(),
		"tags": map[string]string{"device": name}, "lastSeen": c.store.lastSeen(path+"/", time.Now()).UnixMilli(),
	}
}
