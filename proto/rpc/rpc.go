// Package rpc has the messages of calls over a WebSocket: a request with an id, and the
// message that answers it. It knows no connection; what is in flight is for the caller.
package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

// A Dialect says how a request looks, and which message answers it. It may be used by
// several goroutines.
type Dialect struct {
	version               bool // requests and answers have the member "jsonrpc"
	request, match, fault *jq.Program
}

// JSONRPC is JSON-RPC 2.0 (https://www.jsonrpc.org/specification).
func JSONRPC() *Dialect { return &Dialect{version: true} }

// DevTools is the protocol of Chrome's DevTools, JSON-RPC without the member "jsonrpc",
// which Chrome refuses (https://chromedevtools.github.io/devtools-protocol/).
func DevTools() *Dialect { return &Dialect{} }

// Expressions are the jq expressions of a Dialect of the user's own; "" for each that is as
// in JSON-RPC.
type Expressions struct {
	// Request yields the request, of $id, $method and $params; a string as it is,
	// anything else as JSON.
	Request string
	// Match is true of the message that answers the request $id. The result is then the
	// whole message.
	Match string
	// Fault yields, of the message that answers $id, the error in it; null, false and
	// nothing are none.
	Fault string
}

// Customize replaces parts of d. limit bounds the values that an expression makes, in
// bytes. The error is a *jq.Error.
func (d *Dialect) Customize(e Expressions, o jq.Options) error {
	for _, x := range []struct {
		flag, expr string
		to         **jq.Program
		vars       []string
	}{
		{"--request", e.Request, &d.request, []string{"id", "method", "params"}},
		{"--match", e.Match, &d.match, []string{"id"}},
		{"--error", e.Fault, &d.fault, []string{"id"}},
	} {
		if x.expr == "" {
			continue
		}
		o.Vars = x.vars
		p, err := jq.CompileProgram(x.flag, x.expr, o)
		if err != nil {
			return err
		}
		*x.to = p
	}
	return nil
}

// Request returns the message of a call. params is JSON, or empty for none.
func (d *Dialect) Request(ctx context.Context, id int, method string, params []byte) ([]byte, error) {
	if d.request != nil {
		return d.custom(ctx, id, method, params)
	}
	b := []byte{'{'}
	if d.version {
		b = append(b, `"jsonrpc":"2.0",`...)
	}
	b = append(b, `"id":`...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, `,"method":`...)
	b = eventjson.AppendString(b, method)
	if len(params) > 0 {
		b = append(b, `,"params":`...)
		b = append(b, params...)
	}
	return append(b, '}'), nil
}

// custom returns the request that the user's expression makes.
func (d *Dialect) custom(ctx context.Context, id int, method string, params []byte) ([]byte, error) {
	var p any
	if len(params) > 0 {
		var err error
		if p, err = new(eventjson.Decoder).Decode(params); err != nil {
			return nil, err
		}
	}
	out, err := d.request.Run(ctx, nil, id, method, p)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--request: %w", err)
	case len(out) != 1:
		return nil, fmt.Errorf("--request yielded %d values: expected one", len(out))
	}
	if text, ok := out[0].(string); ok {
		return []byte(text), nil
	}
	return eventjson.AppendValue(nil, out[0])
}

// A Message is what came from the server, looked at once for all calls in flight.
type Message struct {
	d       *Dialect
	data    []byte
	members map[string]json.RawMessage // nil unless it is an object
	value   any                        // for expressions
	json    bool
}

// Read looks at a message, and keeps data.
func (d *Dialect) Read(data []byte) *Message {
	m := &Message{d: d, data: data}
	if json.Unmarshal(data, &m.members) != nil {
		m.members = nil
	}
	if d.match != nil || d.fault != nil {
		v, err := new(eventjson.Decoder).Decode(data)
		m.value, m.json = v, err == nil
	}
	return m
}

// Answers reports whether the message answers the request id. An error is that of
// --match.
func (m *Message) Answers(ctx context.Context, id int) (bool, error) {
	if m.d.match != nil {
		if !m.json {
			return false, nil
		}
		out, err := m.d.match.Run(ctx, m.value, id)
		return err == nil && len(out) > 0 && truthy(out[0]), err
	}
	if _, ok := m.members["method"]; ok { // a request or a notification of the server's
		return false, nil
	}
	n, err := strconv.ParseFloat(string(m.members["id"]), 64)
	return err == nil && n == float64(id), nil
}

// Anonymous reports whether the message is an error for a request whose id the server
// could not read (JSON-RPC 2.0, section 5).
func (m *Message) Anonymous() bool {
	if _, ok := m.members["method"]; ok || m.d.match != nil {
		return false
	}
	id, ok := m.members["id"]
	return (!ok || !present(id)) && present(m.members["error"])
}

// Outcome returns the result in the answer to id, or the error in it; each is JSON. An
// answer that has neither is an error of its own.
func (m *Message) Outcome(ctx context.Context, id int) (result, fault []byte, err error) {
	switch {
	case m.d.fault != nil:
		out, err := m.d.fault.Run(ctx, m.value, id)
		if err != nil {
			return nil, nil, err
		}
		if len(out) > 0 && truthy(out[0]) {
			fault, err := eventjson.AppendValue(nil, out[0])
			return nil, fault, err
		}
	case m.d.match == nil && present(m.members["error"]):
		return nil, m.members["error"], nil
	}
	if m.d.match != nil {
		return m.data, nil, nil
	}
	if r, ok := m.members["result"]; ok {
		return r, nil, nil
	}
	return nil, nil, fmt.Errorf("the answer has neither a result nor an error")
}

// present reports whether a member has a value other than null.
func present(v json.RawMessage) bool { return len(v) > 0 && string(v) != "null" }

// truthy reports whether jq takes v for true.
func truthy(v any) bool { return v != nil && v != false }
