package octave

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

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// An API is the REST interface of one company (Octave documentation, "Using
// the REST API in an External System"). Its errors are HandshakeErrors of
// StageRequest, or of StageToken.
type API struct {
	// Base is the address of the interface, wire.API or another
	// installation's.
	Base string
	// User is empty if Token is a restricted token.
	User, Company string
	Token         proto.TokenSource
	Client        *http.Client
	// Timeout is the time limit of each request, 0 for none.
	Timeout time.Duration
}

// A Stream is a stream, with its JSON text.
type Stream struct {
	wire.Stream
	Raw json.RawMessage
}

// listingSize is how many streams are requested per page.
const listingSize = 1000

// Streams lists the streams that the token may read and whose path begins with prefix.
// The interface returns neither their number nor a link to the next page, so pages are
// requested until one has no new streams. They are sorted by age, so that streams
// created meanwhile do not shift pages.
func (a *API) Streams(ctx context.Context, prefix string) ([]Stream, error) {
	var streams []Stream
	seen := make(map[string]bool)
	for start := 0; ; {
		query := url.Values{
			"sort": {"creationDate"}, "order": {"asc"},
			"start": {strconv.Itoa(start)}, "limit": {strconv.Itoa(listingSize)},
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
		// A server with a limit of its own returns less than requested.
		if start += len(page); fresh == 0 || len(page) < wire.Limit {
			return streams, nil
		}
	}
}

func (a *API) streamPage(ctx context.Context, query url.Values) ([]Stream, error) {
	const path = "stream"
	body, err := a.call(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(body, &texts); err != nil {
		return nil, a.nonsense(path, "no list of streams")
	}
	streams := make([]Stream, len(texts))
	for i, text := range texts {
		if streams[i], err = a.readStream(path, text); err != nil {
			return nil, err
		}
	}
	return streams, nil
}

func (a *API) readStream(path string, text json.RawMessage) (Stream, error) {
	s := Stream{Raw: text}
	if err := json.Unmarshal(text, &s.Stream); err != nil || s.ID == "" {
		return s, a.nonsense(path, "a stream without an id")
	}
	return s, nil
}

// Stream looks up one stream by id, or by path when name begins with a slash. An
// unknown path is a status of 404, like an unknown id.
func (a *API) Stream(ctx context.Context, name string) (Stream, error) {
	if !strings.HasPrefix(name, "/") {
		path := "stream/" + url.PathEscape(name)
		body, err := a.call(ctx, http.MethodGet, path, nil, nil)
		if err != nil {
			return Stream{}, err
		}
		return a.readStream(path, body)
	}
	streams, err := a.streamPage(ctx, url.Values{"filter": {"path==" + quote(name)}})
	if err != nil {
		return Stream{}, err
	}
	for _, s := range streams {
		if s.Path == name {
			return s, nil
		}
	}
	return Stream{}, &proto.HandshakeError{
		Stage: proto.StageRequest, Address: a.address("stream"), Status: http.StatusNotFound, Body: "no stream has the path " + name,
	}
}

// quote returns a string literal of the filter language, with backslash escapes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Publish creates an event and returns it as the service does. name is the id of a
// stream, or its path; elems is a JSON object.
func (a *API) Publish(ctx context.Context, name string, elems json.RawMessage) (json.RawMessage, error) {
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
	body, err := a.call(ctx, http.MethodPost, path, nil, eventjson.Encode(event))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(body, []byte("{")) {
		return nil, a.nonsense(path, "no event")
	}
	return body, nil
}

// A query requests a page of stored events.
type query struct {
	stream string // id, or path
	from   int64  // the least creationDate, Unix milliseconds
	start  int    // how many of them to skip
	limit  int
}

// events returns a page, oldest first.
func (a *API) events(ctx context.Context, q query) ([]eventInfo, error) {
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
	page := make([]eventInfo, len(texts))
	for i, text := range texts {
		e, ok := readEvent(text)
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

// maxAnswer is the largest response of the REST interface that is read, in bytes: a
// page of events may be large.
const maxAnswer = 64 << 20

// address returns the address of a request for messages.
func (a *API) address(path string) string {
	return proto.BareAddress(strings.TrimRight(a.Base, "/") + "/" + url.PathEscape(a.Company) + "/" + path)
}

// nonsense returns the error for a response that does not match the request.
func (a *API) nonsense(path, what string) error {
	return &proto.HandshakeError{Stage: proto.StageRequest, Address: a.address(path), Err: &proto.ProtocolError{Err: errors.New("the answer contains " + what)}}
}

// call sends a request and returns the body in the envelope of the response.
func (a *API) call(ctx context.Context, method, path string, query url.Values, body []byte) (json.RawMessage, error) {
	address := a.address(path)
	tok, err := a.Token.Ask(ctx, address)
	if err != nil {
		return nil, err
	}
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.Timeout, &proto.TimeoutError{What: "answer", Limit: a.Timeout})
		defer cancel()
	}
	target := strings.TrimRight(a.Base, "/") + "/" + url.PathEscape(a.Company) + "/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := proto.NewRequest(ctx, proto.StageRequest, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.User != "" {
		req.Header.Set(wire.HeaderUser, a.User)
	}
	req.Header.Set(wire.HeaderToken, tok.Reveal())
	resp, answer, err := proto.Exchange(a.Client, req, proto.StageRequest, address, maxAnswer+1)
	if err != nil {
		return nil, err
	}
	return openEnvelope(resp, answer, address)
}

// openEnvelope returns the body in the envelope of a response.
func openEnvelope(resp *http.Response, answer []byte, address string) (json.RawMessage, error) {
	fail := proto.AnswerError(proto.StageRequest, address, resp)
	if len(answer) > maxAnswer {
		fail.Status, fail.Err = 0, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
		return nil, fail
	}
	a, _ := readReply(answer)
	if refuse(fail, a.head, answer, "request") {
		return nil, fail
	}
	if a.head == nil {
		fail.Status, fail.Err = 0, &proto.ProtocolError{Err: errors.New("the answer is none of Octave's")}
		return nil, fail
	}
	return a.body, nil
}

// refuse reports whether a response with the status of e is a refusal, and stores it in
// e: if the HTTP status is not an error, the service's own status applies. head is nil
// if the response has none, and text is the whole body.
func refuse(e *proto.HandshakeError, head *replyHead, text []byte, request string) bool {
	good := e.Status == http.StatusOK || e.Status == http.StatusCreated
	if good && (head == nil || !head.refused()) {
		return false
	}
	e.Body = proto.Excerpt(text)
	if head != nil && len(head.reasons) > 0 {
		e.Body = proto.Excerpt([]byte(strings.Join(head.reasons, "; ")))
	}
	switch {
	case good && head.status >= 400:
		e.Status = head.status
	case good:
		e.Status, e.Body, e.Err = 0, "", &proto.RefusedError{Request: request, Reasons: head.reasons}
	}
	return true
}
