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
	// DoshiiSandbox and DoshiiLive are the values of <env> in the host names.
	DoshiiSandbox = "sandbox"
	DoshiiLive    = "live"

	DoshiiPathAppV3  = "/app/socket/v3"
	DoshiiPathApp    = "/app/socket"
	DoshiiPathPOS    = "/pos/socket"
	DoshiiPathVendor = "/vendor/socket"
	DoshiiPathREST   = "/partner/v3"
)

// The three generations of host names of the socket; the vendor keeps the
// older ones working.
const (
	DoshiiHostCurrent = "socket" // socket.<env>.doshii.co
	DoshiiHostMiddle  = "middle" // <env>-socket.doshii.co, which the official SDK for Node.js uses
	DoshiiHostOldest  = "oldest" // <env>.doshii.co
)

// DoshiiEndpoint is the base of the socket in an environment, by generation of
// host name; "" for a generation that does not exist.
func DoshiiEndpoint(env, generation string) string {
	switch generation {
	case DoshiiHostCurrent:
		return "wss://socket." + env + ".doshii.co"
	case DoshiiHostMiddle:
		return "wss://" + env + "-socket.doshii.co"
	case DoshiiHostOldest:
		return "wss://" + env + ".doshii.co"
	}
	return ""
}

// Query parameters of the sockets.
const (
	DoshiiParamAuth   = "auth"     // app: base64 of the client id
	DoshiiParamDevice = "deviceId" // app: narrows the events to a device's interests
	DoshiiParamToken  = "token"    // pos: location token; vendor: JWT
	DoshiiParamVendor = "vendor"   // vendor: API name
)

const (
	// DoshiiHeartbeatPeriod is how often the client sends its heartbeat, the
	// first at once.
	DoshiiHeartbeatPeriod = 30 * time.Second
	// DoshiiIdle is the server's assumed limit of silence: that of Primus, whose
	// envelope Doshii uses. The vendor publishes none.
	DoshiiIdle = 35 * time.Second
	// DoshiiQuiet is how long a connection that brings nothing but answers to
	// heartbeats looks as if it were in order.
	DoshiiQuiet = time.Minute
	// DoshiiJWTWindow is how long a JWT of the REST interface is valid after its
	// timestamp.
	DoshiiJWTWindow = 10 * time.Minute
)

// A DoshiiHeartbeat is a ping or a pong in either direction.
type DoshiiHeartbeat struct {
	Doshii DoshiiBeat `json:"doshii"`
}

// A DoshiiBeat says ping or pong by which member is there, not by its value: a
// pong may be 0. Values are raw so that the number of a ping can be echoed as it
// came and a value of another kind does no harm.
type DoshiiBeat struct {
	// Ping and Pong are Unix times in milliseconds, nil when absent.
	Ping json.RawMessage `json:"ping,omitzero"`
	Pong json.RawMessage `json:"pong,omitzero"`
	// Version is a string: the client's own version in a ping, that of the API
	// in a pong. It may be absent.
	Version json.RawMessage `json:"version,omitzero"`
	// Status is sent by points of sale: component name to state.
	Status json.RawMessage `json:"status,omitzero"`
}

// DoshiiPing makes a client's heartbeat.
func DoshiiPing(now time.Time, version string) DoshiiHeartbeat {
	return DoshiiHeartbeat{DoshiiBeat{
		Ping:    strconv.AppendInt(nil, now.UnixMilli(), 10),
		Version: doshiiVersion(version),
	}}
}

// DoshiiPong makes the answer to a ping with that number. An empty version is
// left out.
func DoshiiPong(ping json.RawMessage, version string) DoshiiHeartbeat {
	return DoshiiHeartbeat{DoshiiBeat{Pong: ping, Version: doshiiVersion(version)}}
}

func doshiiVersion(v string) json.RawMessage {
	if v == "" {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// A DoshiiMessage is any JSON object that comes from the server. Which of its
// members are there says what it is; Emit is the event envelope of the wire,
// Type or Event with Data are the envelopes that the help pages print.
type DoshiiMessage struct {
	Doshii *DoshiiBeat     `json:"doshii,omitempty"`
	Emit   DoshiiEmit      `json:"emit,omitzero"`
	Type   string          `json:"type,omitempty"`
	Event  string          `json:"event,omitempty"`
	Data   json.RawMessage `json:"data,omitzero"`
}

// NameAndPayload returns what the message says of an event, in whichever envelope;
// an empty name when it is none.
func (m *DoshiiMessage) NameAndPayload() (name string, payload json.RawMessage) {
	if name, ok := m.Emit.Name(); ok {
		return name, m.Emit.Payload()
	}
	if m.Event != "" {
		return m.Event, m.Data
	}
	return m.Type, m.Data
}

// DoshiiHealthCheck is the event by which the server asks a point of sale for a
// pong (Doshii help centre, "Upon Health check").
const DoshiiHealthCheck = "health_check"

// A DoshiiEmit is the value of emit: the name of the event, its payload, and
// possibly more.
type DoshiiEmit []json.RawMessage

// NewDoshiiEmit makes the envelope of an event.
func NewDoshiiEmit(name string, payload json.RawMessage) (DoshiiMessage, error) {
	n, err := json.Marshal(name)
	if err != nil {
		return DoshiiMessage{}, err
	}
	return DoshiiMessage{Emit: DoshiiEmit{n, payload}}, nil
}

// Name returns the name of the event; false when there is none or it is no
// string.
func (e DoshiiEmit) Name() (string, bool) {
	var name *string
	if len(e) == 0 || json.Unmarshal(e[0], &name) != nil || name == nil {
		return "", false
	}
	return *name, true
}

// Payload returns the payload of the event, nil when it has none.
func (e DoshiiEmit) Payload() json.RawMessage {
	if len(e) < 2 {
		return nil
	}
	return e[1]
}

// A DoshiiError is the body of an answer that refuses the upgrade.
type DoshiiError struct {
	Error string `json:"error"`
}

// Prefixes of the heartbeat before 2018, which was that of Primus: a JSON string
// of a prefix and a Unix time in milliseconds.
const (
	DoshiiPrimusPing  = "primus::ping::"
	DoshiiPrimusPong  = "primus::pong::"
	DoshiiPrimusClose = "primus::server::close"
)

// DoshiiIsPrimus tells whether s is a legacy control string.
func DoshiiIsPrimus(s string) bool {
	return strings.HasPrefix(s, DoshiiPrimusPing) || strings.HasPrefix(s, DoshiiPrimusPong) ||
		strings.HasPrefix(s, DoshiiPrimusClose)
}

// A DoshiiDevice is a registered device: which events are of interest to one
// connection (Doshii SDK for Node.js, lib/device.ts). An empty list means that
// there is no restriction.
type DoshiiDevice struct {
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

// DoshiiHeaderLocation names the location that a request is about.
const DoshiiHeaderLocation = "doshii-location-id"

// DoshiiClaims are those of the JSON Web Tokens that clients sign, with a
// timestamp in seconds: of an app for the REST interface, or of a vendor for its
// socket.
type DoshiiClaims struct {
	ClientID  string `json:"clientId,omitempty"`
	Vendor    string `json:"vendor,omitempty"`
	Timestamp int64  `json:"timestamp"`
}

// DoshiiREST is the base of the REST interface for apps in an environment.
func DoshiiREST(env string) string { return "https://" + env + ".doshii.co" + DoshiiPathREST }
