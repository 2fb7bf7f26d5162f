package proto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/proto/wire"
)

// An OctaveAPI is the REST interface of one company (Octave documentation, "Using
// the REST API in an External System"). Its errors are HandshakeErrors of
// StageRequest, or of StageToken.
type OctaveAPI struct {
	// Base is the address of the interface, wire.OctaveAPI or another
	// installation's.
	Base string
	// User is left empty when Token is a restricted one.
	User, Company string
	Token         TokenSource
	Client        *http.Client
	// Timeout bounds each request, 0 does not.
	Timeout time.Duration
}

// An OctaveStream is a stream, with the JSON text in which it came.
type OctaveStream struct {
	wire.OctaveStream
	Raw json.RawMessage
}

// octaveListing is how many streams are asked for at once.
const octaveListing = 1000

// Streams lists the streams that the token may read and whose path begins with
// prefix. The interface says neither how many there are nor where the next page
// is, so it is asked until nothing new comes. Sorted by age, what is created
// meanwhile moves nothing.
func (a *OctaveAPI) Streams(ctx context.Context, prefix string) ([]OctaveStream, error) {
	var streams []OctaveStream
	seen := make(map[string]bool)
	for start := 0; ; {
		query := url.Values{
			"sort": {"creationDate"}, "order": {"asc"},
			"start": {strconv.Itoa(start)}, "limit": {strconv.Itoa(octaveListing)},
		}
		page, err := a.streamPage(ctx, query)
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, s := range page {
			if seen[s.ID] {
				continue
			}
			seen[s.ID] = true
			fresh++
			if strings.HasPrefix(s.Path, prefix) {
				streams = append(streams, s)
			}
		}
		// A server with a limit of its own gives less than was asked for.
		if start += len(page); fresh == 0 || len(page) < wire.OctaveLimit {
			return streams, nil
		}
	}
}

func (a *OctaveAPI) streamPage(ctx context.Context, query url.Values) ([]OctaveStream, error) {
	const path = "stream"
	body, err := a.call(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(body, &texts); err != nil {
		return nil, a.nonsense(path, "no list of streams")
	}
	streams := make([]OctaveStream, len(texts))
	for i, text := range texts {
		if streams[i], err = a.readStream(path, text); err != nil {
			return nil, err
		}
	}
	return streams, nil
}

func (a *OctaveAPI) readStream(path string, text json.RawMessage) (OctaveStream, error) {
	s := OctaveStream{Raw: text}
	if err := json.Unmarshal(text, &s.OctaveStream); err != nil || s.ID == "" {
		return s, a.nonsense(path, "a stream without an id")
	}
	return s, nil
}

// Stream looks up one stream by id, or by path when name begins with a slash. A
// path that leads nowhere is a status of 404, as an id is.
func (a *OctaveAPI) Stream(ctx context.Context, name string) (OctaveStream, error) {
	if !strings.HasPrefix(name, "/") {
		path := "stream/" + url.PathEscape(name)
		body, err := a.call(ctx, http.MethodGet, path, nil, nil)
		if err != nil {
			return OctaveStream{}, err
		}
		return a.readStream(path, body)
	}
	streams, err := a.streamPage(ctx, url.Values{"filter": {"path==" + octaveString(name)}})
	if err != nil {
		return OctaveStream{}, err
	}
	for _, s := range streams {
		if s.Path == name {
			return s, nil
		}
	}
	return OctaveStream{}, &HandshakeError{
		Stage: StageRequest, Address: a.address("stream"), Status: http.StatusNotFound, Body: "no stream has the path " + name,
	}
}

// octaveString writes a string of the filter language, with backslash escapes.
func octaveString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Publish creates an event and returns it as the service shows it. name is the id
// of a stream, or its path; elems is a JSON object.
func (a *OctaveAPI) Publish(ctx context.Context, name string, elems json.RawMessage) (json.RawMessage, error) {
	path := "event"
	event := struct {
		Path  string          `json:"path,omitempty"`
		Elems json.RawMessage `json:"elems"`
	}{Elems: elems}
	if strings.HasPrefix(name, "/") {
		event.Path = name
	} else {
		path += "/" + url.PathEscape(name)
	}
	body, err := a.call(ctx, http.MethodPost, path, nil, jsontext.Encode(event))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(body, []byte("{")) {
		return nil, a.nonsense(path, "no event")
	}
	return body, nil
}

// An octaveQuery asks for a page of stored events.
type octaveQuery struct {
	stream string // id, or path
	from   int64  // the least creationDate, Unix milliseconds
	start  int    // how many of them to leave out
	limit  int
}

// events returns a page, oldest first.
func (a *OctaveAPI) events(ctx context.Context, q octaveQuery) ([]octaveEvent, error) {
	path := "event"
	query := url.Values{
		"filter": {"creationDate>=" + strconv.FormatInt(q.from, 10)},
		"sort":   {"creationDate"}, "order": {"asc"}, "limit": {strconv.Itoa(q.limit)},
	}
	if q.start > 0 {
		query.Set("start", strconv.Itoa(q.start))
	}
	if strings.HasPrefix(q.stream, "/") {
		query.Set("path", q.stream)
	} else {
		path += "/" + url.PathEscape(q.stream)
	}
	body, err := a.call(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(body, &texts); err != nil {
		return nil, a.nonsense(path, "no list of events")
	}
	page := make([]octaveEvent, len(texts))
	for i, text := range texts {
		e, ok := readOctaveEvent(text)
		switch {
		case !ok:
			return nil, a.nonsense(path, "an event without id or creationDate")
		case e.created < q.from:
			return nil, a.nonsense(path, "an event from before the time that was asked for")
		case i > 0 && e.created < page[i-1].created:
			return nil, a.nonsense(path, "events that are not in the order that was asked for")
		}
		page[i] = e
	}
	return page, nil
}

// maxOctaveAnswer is the largest answer of the REST interface that is read, in
// bytes: a page of events may be large.
const maxOctaveAnswer = 64 << 20

// address is what messages show of a request.
func (a *OctaveAPI) address(path string) string {
	return BareAddress(strings.TrimRight(a.Base, "/") + "/" + url.PathEscape(a.Company) + "/" + path)
}

// nonsense is an answer that does not fit the question.
func (a *OctaveAPI) nonsense(path, what string) error {
	return &HandshakeError{Stage: StageRequest, Address: a.address(path), Err: &ProtocolError{errors.New("the answer holds " + what)}}
}

// call sends a request and returns the body of the answer's envelope.
func (a *OctaveAPI) call(ctx context.Context, method, path string, query url.Values, body []byte) (json.RawMessage, error) {
	address := a.address(path)
	tok, err := a.Token.Ask(ctx, address)
	if err != nil {
		return nil, err
	}
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.Timeout, &OverdueError{What: "answer", Limit: a.Timeout})
		defer cancel()
	}
	target := strings.TrimRight(a.Base, "/") + "/" + url.PathEscape(a.Company) + "/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := NewRequest(ctx, StageRequest, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.User != "" {
		req.Header.Set(wire.OctaveHeaderUser, a.User)
	}
	req.Header.Set(wire.OctaveHeaderToken, tok.Reveal())
	resp, answer, err := Exchange(a.Client, req, StageRequest, address, maxOctaveAnswer+1)
	if err != nil {
		return nil, err
	}
	return readOctaveAnswer(resp, answer, address)
}

// readOctaveAnswer takes an answer out of its envelope.
func readOctaveAnswer(resp *http.Response, answer []byte, address string) (json.RawMessage, error) {
	fail := AnswerError(StageRequest, address, resp)
	if len(answer) > maxOctaveAnswer {
		fail.Status, fail.Err = 0, fmt.Errorf("the answer is larger than %d bytes", maxOctaveAnswer)
		return nil, fail
	}
	a, _ := readOctaveMessage(answer)
	if refuse(fail, a.head, answer, "request") {
		return nil, fail
	}
	if a.head == nil {
		fail.Status, fail.Err = 0, &ProtocolError{errors.New("the answer is none of Octave's")}
		return nil, fail
	}
	return a.body, nil
}

// refuse reports whether an answer with the status of e is a refusal, and puts it
// into e: the service's own status counts where that of HTTP says nothing. head is
// nil when the answer has none, and text is all of it.
func refuse(e *HandshakeError, head *octaveHead, text []byte, request string) bool {
	good := e.Status == http.StatusOK || e.Status == http.StatusCreated
	if good && (head == nil || !head.refused()) {
		return false
	}
	e.Body = Excerpt(text)
	if head != nil && len(head.reasons) > 0 {
		e.Body = Excerpt([]byte(strings.Join(head.reasons, "; ")))
	}
	switch {
	case good && head.status >= 400:
		e.Status = head.status
	case good:
		e.Status, e.Body, e.Err = 0, "", &RefusedError{Request: request, Reasons: head.reasons}
	}
	return true
}
