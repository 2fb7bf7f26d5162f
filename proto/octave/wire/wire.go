// Package wire contains the JSON messages of Octave, and the constants in its
// documents. It imports only the standard library and has no behavior beyond encoding
// and decoding, because the client and the emulator share it and must share nothing
// else.
package wire

import (
	"encoding/json"
	"time"
)

// Addresses of Octave (Octave documentation, "Consuming Events via WebSocket"
// and "Using the REST API in an External System").
const (
	// Endpoint is the public address of the session service. Sessions are requested at
	// Endpoint + SessionPath; the socket has the same host, the scheme wss and the path
	// of SocketPath.
	Endpoint = "https://octave-ws.sierrawireless.io"
	// API is the public base of the REST interface.
	API         = "https://octave-api.sierrawireless.io/v5.0"
	SessionPath = "/session"
)

// SocketPath is the path of the socket of one session. The caller must escape the id,
// which is a single segment.
func SocketPath(escapedID string) string {
	return SessionPath + "/" + escapedID + "/ws"
}

// Header names of the session request and of the REST interface. The user header is
// omitted with a restricted token.
const (
	HeaderUser    = "X-Auth-User"
	HeaderCompany = "X-Auth-Company"
	HeaderToken   = "X-Auth-Token"
)

// Intervals. The vendor does not document keep-alive; the figures follow the clients of
// flowthings.io, the predecessor of Octave, the slowest of which sends a heartbeat
// every 30 s.
const (
	// Heartbeat is how often a client sends a heartbeat.
	Heartbeat = 20 * time.Second
	// Idle is the server's assumed limit of silence. It is not published.
	Idle = 60 * time.Second
)

// Values of the members object and type in requests and messages.
const (
	ObjectEvent     = "event"
	TypeSubscribe   = "subscribe"
	TypeUnsubscribe = "unsubscribe"
	TypeHeartbeat   = "heartbeat"
	TypeMessage     = "message"
)

// Fixed texts of responses. The first two are documented for Octave, the third for its
// predecessor.
const (
	Processed = "Your request has been processed successfully."
	Created   = "Your request has been processed successfully. A new resource has been created."
	NotFound  = "The requested resource could not be located at this address."
)

// A Head is the head of every response. Absent members are omitted when it is encoded:
// the session response has no messages, the acknowledgment of a success has no status.
type Head struct {
	// MsgID repeats the msgId of the request with the JSON type that it had.
	MsgID      json.RawMessage `json:"msgId,omitzero"`
	OK         bool            `json:"ok"`
	Status     int             `json:"status,omitzero"`
	Errors     []string        `json:"errors,omitzero"`
	Messages   []string        `json:"messages,omitzero"`
	References json.RawMessage `json:"references,omitzero"`
}

// An Answer is the envelope of every response, over HTTP and on the socket. The body of
// an acknowledgment has no meaning: it may be {}, null, true, an object or an array.
type Answer struct {
	Head *Head           `json:"head,omitempty"`
	Body json.RawMessage `json:"body,omitzero"`
}

// A Session is the body of the response to a session request.
type Session struct {
	ID string `json:"id"`
}

// A Message is any message from the server: with Type TypeMessage it contains an event,
// with a Head it is a response. Resource is the id of the stream, even if the
// subscription was by path.
type Message struct {
	Type     string          `json:"type,omitempty"`
	Resource string          `json:"resource,omitempty"`
	Value    json.RawMessage `json:"value,omitzero"`
	Answer
}

// A Request is any message from the client. Exactly one of StreamID and Path identifies
// the stream. A heartbeat has Type only.
type Request struct {
	// MsgID is any JSON value; clients of the predecessor also send numbers.
	MsgID    json.RawMessage `json:"msgId,omitzero"`
	Object   string          `json:"object,omitempty"`
	Type     string          `json:"type"`
	StreamID string          `json:"streamId,omitempty"`
	Path     string          `json:"path,omitempty"`
}

// An Event is an event of the socket and the REST interface. Members that may be
// absent, null or of several types are raw: nil if absent, otherwise the JSON text,
// which may be null. Dates are Unix times in milliseconds.
type Event struct {
	// CreationDate is when the cloud stored the event.
	CreationDate int64  `json:"creationDate"`
	CreatorID    string `json:"creatorId,omitempty"`
	// Elems is the payload.
	Elems json.RawMessage `json:"elems,omitzero"`
	// GeneratedDate is when the device created the event: a number, or null for a
	// command of the dashboard.
	GeneratedDate json.RawMessage `json:"generatedDate,omitzero"`
	Hash          json.RawMessage `json:"hash,omitzero"`
	ID            string          `json:"id"`
	LastEditDate  json.RawMessage `json:"lastEditDate,omitzero"`
	LastEditorID  string          `json:"lastEditorId,omitempty"`
	Location      json.RawMessage `json:"location,omitzero"`
	Metadata      json.RawMessage `json:"metadata,omitzero"`
	Path          string          `json:"path,omitempty"`
	StreamID      string          `json:"streamId,omitempty"`
	Tags          json.RawMessage `json:"tags,omitzero"`
	Version       json.RawMessage `json:"version,omitzero"`
}

// A Stream is a stream of the REST interface.
type Stream struct {
	// Capacity is how many events are kept: 0 none, 1 only the last.
	Capacity     int             `json:"capacity"`
	CreationDate int64           `json:"creationDate"`
	CreatorID    string          `json:"creatorId,omitempty"`
	Description  string          `json:"description"`
	ID           string          `json:"id"`
	LastEditDate json.RawMessage `json:"lastEditDate,omitzero"`
	LastEditorID string          `json:"lastEditorId,omitempty"`
	Path         string          `json:"path"`
}

// Capacity of a stream, in events (Octave documentation, "Adding a New Stream").
const (
	CapacityDefault = 1000
	CapacityMax     = 100_000
)

// Limit is how many events the REST interface returns for a request without a limit
// (Octave documentation, "Octave.Event.find").
const Limit = 20
