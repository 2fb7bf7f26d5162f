// Package wire contains the JSON messages of Doshii, and the constants in its
// documents. The client and the emulator share it; it imports only the standard
// library.
package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Addresses of Doshii (Doshii help centre, "Environments" and "Connection –
// App partners").
const (
	// Sandbox and Live are the values of <env> in the host names.
	Sandbox = "sandbox"
	Live    = "live"

	PathAppV3  = "/app/socket/v3"
	PathApp    = "/app/socket"
	PathPOS    = "/pos/socket"
	PathVendor = "/vendor/socket"
	PathREST   = "/partner/v3"
)

// The three generations of host names of the socket; the vendor keeps the
// older ones working.
const (
	HostCurrent = "socket" // socket.<env>.doshii.co
	HostMiddle  = "middle" // <env>-socket.doshii.co, which the official SDK for Node.js uses
	HostOldest  = "oldest" // <env>.doshii.co
)

// Endpoint returns the base of the socket in an environment, by generation of host
// name; "" for an unknown generation.
func Endpoint(env, generation string) string {
	switch generation {
	case HostCurrent:
		return "wss://socket." + env + ".doshii.co"
	case HostMiddle:
		return "wss://" + env + "-socket.doshii.co"
	case HostOldest:
		return "wss://" + env + ".doshii.co"
	}
	return ""
}

// Query parameters of the sockets.
const (
	ParamAuth   = "auth"     // app: base64 of the client id
	ParamDevice = "deviceId" // app: narrows the events to a device's interests
	ParamToken  = "token"    // pos: location token; vendor: JWT
	ParamVendor = "vendor"   // vendor: API name
)

const (
	// HeartbeatPeriod is how often the client sends its heartbeat, the
	// first at once.
	HeartbeatPeriod = 30 * time.Second
	// Idle is the server's assumed limit of silence: that of Primus, whose
	// envelope Doshii uses. The vendor publishes none.
	Idle = 35 * time.Second
	// Quiet is how long a connection that receives only answers to heartbeats counts as
	// normal.
	Quiet = time.Minute
	// JWTWindow is how long a JWT of the REST interface is valid after its
	// timestamp.
	JWTWindow = 10 * time.Minute
)

// A Heartbeat is a ping or a pong in either direction.
type Heartbeat struct {
	Doshii Beat `json:"doshii"`
}

// A Beat is a ping or a pong by which member is present, not by its value: a pong may
// be 0. Values are raw so that the number of a ping can be echoed unchanged and values
// of other types are accepted.
type Beat struct {
	// Ping and Pong are Unix times in milliseconds, nil when absent.
	Ping json.RawMessage `json:"ping,omitzero"`
	Pong json.RawMessage `json:"pong,omitzero"`
	// Version is a string: the client's own version in a ping, that of the API
	// in a pong. It may be absent.
	Version json.RawMessage `json:"version,omitzero"`
	// Status is sent by points of sale: component name to state.
	Status json.RawMessage `json:"status,omitzero"`
}

// Ping returns a client's heartbeat.
func Ping(now time.Time, version string) Heartbeat {
	return Heartbeat{Beat{
		Ping:    strconv.AppendInt(nil, now.UnixMilli(), 10),
		Version: jsonVersion(version),
	}}
}

// Pong returns the answer to a ping with that number. An empty version is omitted.
func Pong(ping json.RawMessage, version string) Heartbeat {
	return Heartbeat{Beat{Pong: ping, Version: jsonVersion(version)}}
}

func jsonVersion(v string) json.RawMessage {
	if v == "" {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// A Message is any JSON object from the server. Its members determine its kind: Emit is
// the envelope of events that the service sends, Type or Event with Data are those of
// the help pages.
type Message struct {
	Doshii *Beat           `json:"doshii,omitempty"`
	Emit   Emit            `json:"emit,omitzero"`
	Type   string          `json:"type,omitempty"`
	Event  string          `json:"event,omitempty"`
	Data   json.RawMessage `json:"data,omitzero"`
}

// NameAndPayload returns the name and payload of an event in any envelope; the name is
// "" if it is not an event.
func (m *Message) NameAndPayload() (name string, payload json.RawMessage) {
	if name, ok := m.Emit.Name(); ok {
		return name, m.Emit.Payload()
	}
	if m.Event != "" {
		return m.Event, m.Data
	}
	return m.Type, m.Data
}

// HealthCheck is the event with which the server requests a pong of a point of sale
// (Doshii help centre, "Upon Health check").
const HealthCheck = "health_check"

// An Emit is the value of emit: the name of the event, its payload, and
// possibly more.
type Emit []json.RawMessage

// NewEmit returns the envelope of an event.
func NewEmit(name string, payload json.RawMessage) (Message, error) {
	n, err := json.Marshal(name)
	if err != nil {
		return Message{}, err
	}
	return Message{Emit: Emit{n, payload}}, nil
}

// Name returns the name of the event; false if there is none or it is not a string.
func (e Emit) Name() (string, bool) {
	var name *string
	if len(e) == 0 || json.Unmarshal(e[0], &name) != nil || name == nil {
		return "", false
	}
	return *name, true
}

// Payload returns the payload of the event, nil if it has none.
func (e Emit) Payload() json.RawMessage {
	if len(e) < 2 {
		return nil
	}
	return e[1]
}

// An Error is the body of a response that refuses the upgrade.
type Error struct {
	Error string `json:"error"`
}

// Prefixes of the heartbeat before 2018, which was that of Primus: a JSON string
// of a prefix and a Unix time in milliseconds.
const (
	PrimusPing  = "primus::ping::"
	PrimusPong  = "primus::pong::"
	PrimusClose = "primus::server::close"
)

// IsPrimus reports whether s is a legacy control string.
func IsPrimus(s string) bool {
	return strings.HasPrefix(s, PrimusPing) || strings.HasPrefix(s, PrimusPong) ||
		strings.HasPrefix(s, PrimusClose)
}

// A Device is a registered device, which filters the events of one connection (Doshii
// SDK for Node.js, lib/device.ts). An empty list means no restriction.
type Device struct {
	DoshiiID    string   `json:"doshiiId,omitempty"`
	Name        string   `json:"name,omitempty"`
	Ref         string   `json:"ref,omitempty"`
	Events      []string `json:"events,omitzero"`
	Terminals   []string `json:"terminals,omitzero"`
	Channels    []string `json:"channels,omitzero"`
	LocationIDs []string `json:"locationIds,omitzero"`
	Version     string   `json:"version,omitempty"`
	CreatedAt   string   `json:"createdAt,omitempty"`
	UpdatedAt   string   `json:"updatedAt,omitempty"`
}

// HeaderLocation is the header with the location of a request.
const HeaderLocation = "doshii-location-id"

// Claims are those of the JSON Web Tokens that clients sign, with a
// timestamp in seconds: of an app for the REST interface, or of a vendor for its
// socket.
type Claims struct {
	ClientID  string `json:"clientId,omitempty"`
	Vendor    string `json:"vendor,omitempty"`
	Timestamp int64  `json:"timestamp"`
}

// REST returns the base of the REST interface for apps in an environment.
func REST(env string) string { return "https://" + env + ".doshii.co" + PathREST }
