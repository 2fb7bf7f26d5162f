// Package wire holds the shapes that travel: the JSON of each service, with the
// constants that their documents state. It is a leaf: standard library only, and no
// behavior beyond encoding and decoding, because the client and the emulator share it
// and must share nothing else.
package wire

import (
	"encoding/json"
	"time"
)

// Addresses of Octave (Octave documentation, "Consuming Events via WebSocket"
// and "Using the REST API in an External System").
const (
	// OctaveEndpoint is the public address of the session service. Sessions are
	// asked for at OctaveEndpoint + OctaveSessionPath; the socket has the same
	// host, the scheme wss and the path of OctaveSocketPath.
	OctaveEndpoint = "https://octave-ws.sierrawireless.io"
	// OctaveAPI is the public base of the REST interface.
	OctaveAPI         = "https://octave-api.sierrawireless.io/v5.0"
	OctaveSessionPath = "/session"
)

// OctaveSocketPath is the path of the socket of one session. The caller escapes
// the id: it travels as a single segment.
func OctaveSocketPath(escapedID string) string {
	return OctaveSessionPath + "/" + escapedID + "/ws"
}

// Header names of the session request and of the REST interface. The user
// header is left out when the token is a restricted one.
const (
	OctaveHeaderUser    = "X-Auth-User"
	OctaveHeaderCompany = "X-Auth-Company"
	OctaveHeaderToken   = "X-Auth-Token"
)

// Intervals. The page of the vendor is silent about keep-alive; the figures
// follow the clients of flowthings.io, the ancestor of Octave, whose slowest
// official one beats every 30 s.
const (
	// OctaveHeartbeat is how often a client sends a heartbeat.
	OctaveHeartbeat = 20 * time.Second
	// OctaveIdle is the server's assumed limit of silence. It is not published.
	OctaveIdle = 60 * time.Second
)

// Values of the members object and type in requests and messages.
const (
	OctaveObjectEvent     = "event"
	OctaveTypeSubscribe   = "subscribe"
	OctaveTypeUnsubscribe = "unsubscribe"
	OctaveTypeHeartbeat   = "heartbeat"
	OctaveTypeMessage     = "message"
)

// Fixed texts of answers. The first two are documented for Octave, the third
// for its ancestor.
const (
	OctaveProcessed = "Your request has been processed successfully."
	OctaveCreated   = "Your request has been processed successfully. A new resource has been created."
	OctaveNotFound  = "The requested resource could not be located at this address."
)

// An OctaveHead is the head of every answer. Members that an answer does not
// have are left out again when it is encoded: the session answer has no
// messages, the acknowledgement of a success has no status.
type OctaveHead struct {
	// MsgID repeats the msgId of the request with the JSON type that it had.
	MsgID      json.RawMessage `json:"msgId,omitzero"`
	OK         bool            `json:"ok"`
	Status     int             `json:"status,omitzero"`
	Errors     []string        `json:"errors,omitzero"`
	Messages   []string        `json:"messages,omitzero"`
	References json.RawMessage `json:"references,omitzero"`
}

// An OctaveAnswer is the envelope of every answer, over HTTP and on the socket.
// The body of an acknowledgement says nothing: it may be {}, null, true, an
// object or an array.
type OctaveAnswer struct {
	Head *OctaveHead     `json:"head,omitempty"`
	Body json.RawMessage `json:"body,omitzero"`
}

// An OctaveSession is the body of the answer to a session request.
type OctaveSession struct {
	ID string `json:"id"`
}

// An OctaveMessage is any message that comes from the server: with Type
// OctaveTypeMessage it carries an event, with a Head it is an answer. Resource
// is the id of the stream, also when the subscription was made by path.
type OctaveMessage struct {
	Type     string          `json:"type,omitempty"`
	Resource string          `json:"resource,omitempty"`
	Value    json.RawMessage `json:"value,omitzero"`
	OctaveAnswer
}

// An OctaveRequest is any message that comes from the client. Exactly one of
// StreamID and Path locates the stream. A heartbeat has Type alone.
type OctaveRequest struct {
	// MsgID is any JSON value; clients of the ancestor also send numbers.
	MsgID    json.RawMessage `json:"msgId,omitzero"`
	Object   string          `json:"object,omitempty"`
	Type     string          `json:"type"`
	StreamID string          `json:"streamId,omitempty"`
	Path     string          `json:"path,omitempty"`
}

// An OctaveEvent is an event as the socket and the REST interface give it.
// Members that may be absent, null or of several kinds are raw: nil when
// absent, the JSON text when present, null included. Dates are Unix times in
// milliseconds.
type OctaveEvent struct {
	// CreationDate is when the cloud stored the event.
	CreationDate int64  `json:"creationDate"`
	CreatorID    string `json:"creatorId,omitempty"`
	// Elems is the payload.
	Elems json.RawMessage `json:"elems,omitzero"`
	// GeneratedDate is when the device made the event: a number, or null for a
	// command that was made in the dashboard.
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

// An OctaveStream is a stream as the REST interface gives it.
type OctaveStream struct {
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
	OctaveCapacityDefault = 1000
	OctaveCapacityMax     = 100_000
)

// OctaveLimit is how many events the REST interface gives when a request names
// no limit (Octave documentation, "Octave.Event.find").
const OctaveLimit = 20
