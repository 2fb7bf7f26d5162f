// Package wire contains the JSON messages of Drogue Cloud, and the constants in its
// documents. The client and the emulator share it; it imports only the standard
// library.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Endpoint is the base of the WebSocket integration of the public
// installation (Drogue Cloud documentation, "WebSocket integration"); the
// application and, optionally, the channel follow as path segments.
const Endpoint = "wss://ws-integration.sandbox.drogue.cloud"

// Query parameters of the socket.
const (
	ParamGroup    = "group_id"
	ParamToken    = "token"
	ParamUsername = "username"
	ParamAPIKey   = "api_key"
)

// Timers of the server (drogue-cloud, websocket-integration/src/wshandler/mod.rs).
const (
	// Ping is how often the server sends a ping and checks the client's own pings and
	// pongs.
	Ping = 5 * time.Second
	// Timeout is how long the client may send neither ping nor pong.
	Timeout = 10 * time.Second
	// AuthCheck is how often the server checks whether the token has expired.
	AuthCheck = 90 * time.Second
	// PingPayload is the payload of the server's pings.
	PingPayload = "PING"
	// MaxFrame is the largest frame that the server accepts, in bytes.
	MaxFrame = 65536
)

// Reasons of the server's close frames, with the codes StatusPolicy (the first),
// StatusPolicy when the user of the new token may not read the application and
// StatusInternal with RefreshFailed and ": " before a text, and
// StatusInternal (the last).
const (
	TokenExpired  = "JWT token expired"
	RefreshFailed = "Failed to refresh token"
	AuthFailed    = "Authentication failed"
	AuthDisabled  = "Token authentication is not enabled"
	StreamError   = "Internal error: Stream error"
)

// Types of the events (drogue-cloud, endpoint-common/src/sender/mod.rs).
const (
	TypeEvent      = "io.drogue.event.v1"
	TypeConnection = "io.drogue.connection.v1"
	TypeRegistry   = "io.drogue.registry.v1"
)

// Names of the CloudEvents attributes that Drogue Cloud adds.
const (
	Application    = "application"
	ApplicationUID = "applicationuid"
	Device         = "device"
	DeviceUID      = "deviceuid"
	Sender         = "sender"
	SenderUID      = "senderuid"
	Instance       = "instance"
	PartitionKey   = "partitionkey"
)

// An Error is the body of a response that refuses the upgrade (drogue-client,
// src/error.rs).
type Error struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// Values of Error.Error.
const (
	Forbidden = "Forbidden"
	NotFound  = "NotFound"
	Internal  = "Internal"
)

// A Refresh is the only message that a client sends: a new OpenID Connect
// access token for the connection.
type Refresh struct {
	RefreshAccessToken string `json:"RefreshAccessToken"`
}

// An Event is a CloudEvent 1.0 in structured mode as the integration sends it. In JSON,
// the attributes are in the order of the fields, which is the order of the server; the
// extensions follow in the order of the slice. The server's own order of extensions is
// random.
type Event struct {
	SpecVersion     string
	ID              string
	Type            string
	Source          string
	DataContentType string
	DataSchema      string
	Subject         string
	// Time is RFC 3339; the number of fractional digits varies.
	Time string
	// Data is any JSON value; nil if the member is absent.
	Data json.RawMessage
	// DataBase64 is nil if the member is absent; it may be empty.
	DataBase64 *string
	Extensions []Extension
}

// An Extension is one extension attribute of an event. All of them are strings, because
// they are stored as Kafka headers.
type Extension struct {
	Name, Value string
}

// Extension returns the value of the named extension attribute, or "".
func (e *Event) Extension(name string) string {
	for _, x := range e.Extensions {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// MarshalJSON implements json.Marshaler.
func (e Event) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	member := func(name, value string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, name), ':')
		b = appendQuoted(b, value)
	}
	for _, a := range []struct {
		name, value string
		always      bool
	}{
		{"specversion", e.SpecVersion, true},
		{"id", e.ID, true},
		{"type", e.Type, true},
		{"source", e.Source, true},
		{"datacontenttype", e.DataContentType, false},
		{"dataschema", e.DataSchema, false},
		{"subject", e.Subject, false},
		{"time", e.Time, false},
	} {
		if a.value == "" && !a.always {
			continue
		}
		member(a.name, a.value)
	}
	if e.Data != nil {
		b = append(append(b, `,"data":`...), e.Data...)
	}
	if e.DataBase64 != nil {
		member("data_base64", *e.DataBase64)
	}
	for _, x := range e.Extensions {
		member(x.Name, x.Value)
	}
	return append(b, '}'), nil
}

// appendQuoted appends s as a JSON string. Unlike json.Marshal it does not escape <, >
// and &, as the services do not.
func appendQuoted(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always has an encoding
		panic(err)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// UnmarshalJSON implements json.Unmarshaler. It keeps the order of the
// extensions; an attribute that is not a string is an error.
func (e *Event) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("cloudevent is not an object")
	}
	*e = Event{}
	attributes := map[string]*string{
		"specversion": &e.SpecVersion, "id": &e.ID, "type": &e.Type, "source": &e.Source,
		"datacontenttype": &e.DataContentType, "dataschema": &e.DataSchema,
		"subject": &e.Subject, "time": &e.Time,
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if name == "data" {
			e.Data = raw
			continue
		}
		var value string
		if err := json.Unmarshal(raw, &value); err != nil {
			return fmt.Errorf("cloudevent attribute %q: %w", name, err)
		}
		switch p := attributes[name]; {
		case p != nil:
			*p = value
		case name == "data_base64":
			e.DataBase64 = &value
		default:
			e.Extensions = append(e.Extensions, Extension{name, value})
		}
	}
	_, err = d.Token()
	return err
}

// Lengths of a personal access token: the prefix that names it and the body
// that the checksum covers (drogue-cloud, access-token-service/src/rng.rs).
const (
	tokenPrefix = len("drg_") + 6
	tokenBody   = tokenPrefix + len("_") + 30
)

// AccessToken returns the personal access token of a name (6 letters and digits) and a
// secret (30 letters and digits): "drg_", name, "_", secret, checksum.
func AccessToken(name, secret string) (string, error) {
	body := "drg_" + name + "_" + secret
	if !tokenShape(body) {
		return "", errors.New("access token: the name must have 6 and the secret 30 letters or digits")
	}
	return body + checksum(body), nil
}

// AccessTokenValid reports whether s has the form and the checksum of a
// personal access token.
func AccessTokenValid(s string) bool {
	if len(s) <= tokenBody || !tokenShape(s[:tokenBody]) {
		return false
	}
	return s[tokenBody:] == checksum(s[:tokenBody])
}

// AccessTokenPrefix returns the part of a personal access token that
// names it in listings, or "" when s is too short to have one.
func AccessTokenPrefix(s string) string {
	if len(s) < tokenPrefix {
		return ""
	}
	return s[:tokenPrefix]
}

func tokenShape(body string) bool {
	if len(body) != tokenBody || body[:4] != "drg_" || body[tokenPrefix] != '_' {
		return false
	}
	for i := 4; i < len(body); i++ {
		c := body[i]
		if i != tokenPrefix && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// checksum is the CRC-32 (IEEE) of body in base 62, most significant
// digit first, not padded.
func checksum(body string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n := crc32.ChecksumIEEE([]byte(body))
	var b [6]byte
	i := len(b)
	for {
		i--
		b[i] = digits[n%62]
		if n /= 62; n == 0 {
			return string(b[i:])
		}
	}
}

// Endpoints is the discovery document (drogue-client,
// src/discovery/v1/data.rs). Every member is optional.
type Endpoints struct {
	API         string    `json:"api,omitempty"`
	Console     string    `json:"console,omitempty"`
	HTTP        *URL      `json:"http,omitempty"`
	MQTT        *HostPort `json:"mqtt,omitempty"`
	SSO         string    `json:"sso,omitempty"`
	IssuerURL   string    `json:"issuer_url,omitempty"`
	RedirectURL string    `json:"redirect_url,omitempty"`
	Registry    *URL      `json:"registry,omitempty"`
	CommandURL  string    `json:"command_url,omitempty"`
	// WebSocket is the WebSocket integration; installations older than 0.10 omit it
	// without a login.
	WebSocket *URL `json:"websocket_integration,omitempty"`
}

// A URL is an endpoint with an address.
type URL struct {
	URL string `json:"url"`
}

// A HostPort is an endpoint with a host and a port.
type HostPort struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// Paths relative to the API of Drogue Cloud.
const (
	PathEndpoints = "/.well-known/drogue-endpoints"
	PathVersion   = "/.well-known/drogue-version"
	PathInfo      = "/api/console/v1alpha1/info"
	PathWhoami    = "/api/admin/v1alpha1/user/whoami"
	PathTokens    = "/api/tokens/v1alpha1"
	// PathApps lists applications, resources with metadata.name (Drogue Cloud
	// documentation, "Registry API").
	PathApps = "/api/registry/v1alpha1/apps"
)

// ClientID is the public OAuth 2.0 client of command lines.
const ClientID = "drogue"

// The HTTP endpoint, on which devices publish (drogue-cloud,
// http-endpoint/src/telemetry.rs).
const (
	// PathPublish is followed by the channel.
	PathPublish = "/v1/"

	ParamApplication = "application"
	ParamDevice      = "device"
	// ParamAs is the device on whose behalf a gateway sends.
	ParamAs = "as"
)

// API is the base of the API of the public installation.
const API = "https://api.sandbox.drogue.cloud"
