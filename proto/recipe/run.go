package recipe

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// A run is a Service in one run: what its connections have in common.
type run struct {
	svc     *Service
	params  map[string]any
	state   map[string]any // its values are never changed
	bytes   int            // of the state, about
	cursor  any
	attempt int
	url     string // of the last handshake
	set     []any  // by requests of the last handshake
	warned  map[string]time.Time

	// forgotten: the cursor was forgotten, and its file does not know that yet.
	forgotten bool
}

// maxStateKeys is how many keys the state may have.
const maxStateKeys = 10_000

// vars are the values of the variables for expressions that are evaluated at a time.
func (r *run) vars(now time.Time) []any {
	return []any{r.params, r.state, r.cursor, float64(now.UnixMicro()) / 1e6, int(now.UnixMilli()), r.attempt, false}
}

// merged is the state with the objects of set, and the size of that.
func (r *run) merged(outputs []any) (map[string]any, int, error) {
	state, bytes := r.state, r.bytes
	for _, v := range outputs {
		if v == nil {
			continue
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil, 0, fmt.Errorf("expected an object, not %s", typeOf(v))
		}
		state = maps.Clone(state)
		for k, v := range object {
			if old, there := state[k]; there {
				bytes -= len(k) + size(old)
			}
			if delete(state, k); v != nil {
				state[k] = clone(v)
				bytes += len(k) + size(v)
			}
		}
	}
	if most := r.svc.recipe.maxValue; bytes > most || len(state) > maxStateKeys {
		return nil, 0, fmt.Errorf("the state would have more than %d bytes or %d keys", most, maxStateKeys)
	}
	return state, bytes, nil
}

// forget empties the state, and forgets the cursor.
func (r *run) forget() { r.state, r.bytes, r.cursor = make(map[string]any), 0, nil }

// Offline returns the session of a connection that is not open, in this run.
func (r *run) Offline() proto.Session {
	r.attempt++
	return newSession(r)
}

// Handshake implements proto.Source.
func (r *run) Handshake(ctx context.Context) (*proto.Handshake, error) {
	return r.handshake(ctx, "")
}

// successor makes the handshakes of a connection that is to replace the open one: with
// target, or with the address of the recipe, after its requests, if that is empty.
func (r *run) successor(target string) proto.Successor {
	next := *r // a handshake is made alongside the session
	return proto.Successor{Handshake: func(ctx context.Context) (*proto.Handshake, func(), error) {
		hs, err := next.handshake(ctx, target)
		if err != nil {
			return nil, nil, err
		}
		session := newSession(r)
		session.moved, hs.Session = true, session
		return hs, func() {
			r.params, r.attempt, r.url = next.params, next.attempt, next.url
			if state, bytes, err := r.merged(next.set); err == nil {
				r.state, r.bytes = state, bytes
			}
		}, nil
	}}
}

// handshake prepares an attempt with the address target, or that of the recipe.
func (r *run) handshake(ctx context.Context, target string) (*proto.Handshake, error) {
	r.attempt++
	if err := r.ask(ctx); err != nil {
		return nil, err
	}
	r.set = nil
	if target == "" {
		for i := range r.svc.recipe.requests {
			if err := r.request(ctx, &r.svc.recipe.requests[i]); err != nil {
				return nil, err
			}
		}
	}
	c := &r.svc.recipe.connect
	vars := r.vars(r.svc.options.Now())
	hs := &proto.Handshake{URL: target}
	if target == "" {
		address, err := one(c.url, nil, vars)
		if err != nil {
			return nil, err
		}
		if hs.URL, err = socketURL(c.url, address); err != nil {
			return nil, err
		}
	}
	header, err := headerOf(c.header, nil, vars)
	if err != nil {
		return nil, err
	}
	hs.Header = header
	if hs.Subprotocols, err = subprotocols(c.subprotocol, vars); err != nil {
		return nil, err
	}
	r.url, hs.NoPings = hs.URL, c.noPings
	r.hide(hs, target != "")
	hs.Session = newSession(r)
	return hs, nil
}

// withheldAddress is what is shown instead of an address that is made of a credential.
const withheldAddress = "(address withheld)"

// hide says what of a handshake must not be shown.
func (r *run) hide(hs *proto.Handshake, redirected bool) {
	c := &r.svc.recipe.connect
	hs.Secrets = r.secretValues()
	hs.Address = proto.BareAddress(hs.URL)
	if len(hs.Secrets) == 0 { // no credential is given, so that nothing is made of one
		hs.AuthLater = true
		return
	}
	proven := false
	if c.url.secret && !redirected {
		proven = true
		hs.Address = withheldAddress
		hs.Secrets = append(hs.Secrets, r.addressParts(hs.URL)...)
	}
	if c.header != nil && c.header.secret {
		proven = true
		for name := range hs.Header {
			hs.Withheld = append(hs.Withheld, name)
		}
	}
	if c.subprotocol != nil && c.subprotocol.secret {
		proven = true
		hs.Secrets = append(hs.Secrets, hs.Subprotocols...)
		hs.Withheld = append(hs.Withheld, "Sec-Websocket-Protocol")
	}
	hs.AuthLater = !proven
}

// addressParts are the parts of an address that is withheld. Those that the recipe
// itself contains are no secret.
func (r *run) addressParts(address string) (list []string) {
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	list = []string{address}
	parts := append([]string{u.Host, u.Hostname(), u.RawQuery}, strings.Split(u.Path, "/")...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, p := range parts {
		if p != "" && !strings.Contains(r.svc.recipe.connect.url.text, p) {
			list = append(list, p)
		}
	}
	return list
}

// one evaluates an expression of the handshake that yields one value.
func one(e *expr, in any, vars []any) (any, error) {
	outputs, err := e.run(in, vars)
	switch {
	case err != nil:
		return nil, handshakeError(e, "%v", err)
	case len(outputs) != 1:
		return nil, handshakeError(e, "expected one output, not %d", len(outputs))
	}
	return outputs[0], nil
}

// socketURL is the address of a socket that an expression yields.
func socketURL(e *expr, v any) (string, error) {
	text, ok := v.(string)
	if !ok {
		return "", handshakeError(e, "expected an address, not %s", typeOf(v))
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return "", handshakeError(e, "the address cannot be read")
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	default:
		return "", handshakeError(e, "the address has none of the schemes ws, wss, http, https")
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), nil
}

// headerName is the form of the name of a header (RFC 9110, section 5.6.2).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// headerOf is the header that an expression yields: an object whose values are strings,
// numbers, or lists of them; null is none.
func headerOf(e *expr, in any, vars []any) (http.Header, error) {
	h := http.Header{}
	if e == nil {
		return h, nil
	}
	v, err := one(e, in, vars)
	if err != nil || v == nil {
		return h, err
	}
	if err := addHeader(h, v); err != nil {
		return nil, handshakeError(e, "%v", err)
	}
	return h, nil
}

// addHeader adds the members of an object to a header. Its error quotes no value.
func addHeader(h http.Header, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("expected an object of headers, not %s", typeOf(v))
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !headerName.MatchString(name) {
			return fmt.Errorf("%q cannot be the name of a header", name)
		}
		values, isList := object[name].([]any)
		if !isList {
			values = []any{object[name]}
		}
		for _, v := range values {
			text, ok := textOf(v)
			switch {
			case v == nil:
			case !ok:
				return fmt.Errorf("the header %s has %s as its value", name, typeOf(v))
			case strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
				return fmt.Errorf("the value of the header %s contains control characters", name)
			default:
				h.Add(name, text)
			}
		}
	}
	return nil
}

// textOf is a string or a number as text.
func textOf(v any) (string, bool) {
	if text, ok := v.(string); ok {
		return text, true
	}
	if _, ok := number(v); !ok {
		return "", false
	}
	b, err := eventjson.AppendValue(nil, v)
	return string(b), err == nil
}

// subprotocols are those that an expression yields: strings, or arrays of them.
func subprotocols(e *expr, vars []any) (list []string, err error) {
	if e == nil {
		return nil, nil
	}
	outputs, err := e.run(nil, vars)
	if err != nil {
		return nil, handshakeError(e, "%v", err)
	}
	for _, v := range outputs {
		values, isList := v.([]any)
		if !isList {
			values = []any{v}
		}
		for _, v := range values {
			switch text, ok := v.(string); {
			case v == nil:
			case !ok || !headerName.MatchString(text):
				return nil, handshakeError(e, "a subprotocol cannot be %s", typeOf(v))
			default:
				list = append(list, text)
			}
		}
	}
	return list, nil
}

// request makes one request before an attempt.
func (r *run) request(ctx context.Context, q *request) error {
	vars := r.vars(r.svc.options.Now())
	address, err := one(q.url, nil, vars)
	if err != nil {
		return err
	}
	c := call{method: q.method, secret: q.url.secret, name: q.url.name}
	for _, e := range []*expr{q.url, q.header, q.body} {
		c.private = c.private || e != nil && e.secret
	}
	var ok bool
	if c.url, ok = address.(string); !ok {
		return handshakeError(q.url, "expected an address, not %s", typeOf(address))
	}
	if c.header, err = headerOf(q.header, nil, vars); err != nil {
		return err
	}
	if q.body != nil {
		if c.body, err = one(q.body, nil, vars); err != nil {
			return err
		}
	}
	c.secrets = r.secretValues()
	status, answer, err := r.svc.send(ctx, c, q.fail != nil)
	if err != nil {
		return err
	}
	if q.fail != nil {
		failed, err := judged(q.fail, q.message, answer, vars)
		switch {
		case err != nil:
			return handshakeError(q.fail, "%v", err)
		case failed != nil:
			return failed
		case status >= http.StatusMultipleChoices:
			return c.refusal(status, answer)
		}
	}
	if q.set == nil {
		return nil
	}
	outputs, err := q.set.run(answer, vars)
	if err != nil {
		return handshakeError(q.set, "%v", err)
	}
	state, bytes, err := r.merged(outputs)
	if err != nil {
		return handshakeError(q.set, "%v", err)
	}
	r.state, r.bytes, r.set = state, bytes, append(r.set, outputs...)
	return nil
}

// judged is the failure that the expressions fail and message say; nil for none.
func judged(fail, message *expr, in any, vars []any) (*failure, error) {
	outputs, err := fail.run(in, vars)
	if err != nil || first(outputs) == nil || first(outputs) == false {
		return nil, err
	}
	f := &failure{}
	switch word := first(outputs); word {
	case "credentials":
		f.class, f.text = proto.Credentials, "the service refuses the credentials"
	case "refused":
		f.class, f.text = proto.Refused, "the service refuses the request"
	case "transient":
		f.class, f.text = proto.Transient, "the service has failed"
	case "done":
		f.class, f.text = proto.Done, "the service has ended the stream"
	default:
		return nil, fmt.Errorf(`expected "credentials", "refused", "transient" or "done", not %s`, typeOf(word))
	}
	if message != nil {
		outputs, err := message.run(in, vars)
		if err != nil {
			return f, nil // the failure matters more
		}
		if text, ok := textOf(first(outputs)); ok && text != "" && !message.secret {
			f.text += ": " + proto.Excerpt([]byte(text))
		}
	}
	return f, nil
}

// stageOfRequests is the stage of the requests of a recipe.
const stageOfRequests netdial.Stage = proto.StageRequest
