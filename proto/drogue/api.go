package drogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// An API is the HTTP side of an installation of Drogue Cloud.
type API struct {
	// Base is the address of the API, http:// or https://.
	Base   string
	Client *http.Client
}

// Endpoints requests the discovery document, which requires no credentials. raw is the
// JSON text of the document.
func (a API) Endpoints(ctx context.Context) (doc wire.Endpoints, raw []byte, err error) {
	return a.endpoints(ctx, wire.PathEndpoints, Credential{})
}

// Info requests, with credentials, the document that is complete in installations older
// than 0.10.
func (a API) Info(ctx context.Context, c Credential) (doc wire.Endpoints, raw []byte, err error) {
	return a.endpoints(ctx, wire.PathInfo, c)
}

func (a API) endpoints(ctx context.Context, path string, c Credential) (doc wire.Endpoints, raw []byte, err error) {
	raw, err = a.get(ctx, proto.StageDiscovery, path, c)
	if err != nil {
		return doc, nil, err
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return doc, nil, &proto.HandshakeError{
			Stage: proto.StageDiscovery, Address: proto.BareAddress(a.Base + path),
			Err: &proto.ProtocolError{Err: errors.New("the answer is not a list of endpoints")},
		}
	}
	return doc, raw, nil
}

// Whoami requests the id of the user of the credentials.
func (a API) Whoami(ctx context.Context, c Credential) (id string, err error) {
	raw, err := a.get(ctx, proto.StageRequest, wire.PathWhoami, c)
	if err != nil {
		return "", err
	}
	var user struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &user); err != nil {
		return "", &proto.HandshakeError{
			Stage: proto.StageRequest, Address: proto.BareAddress(a.Base + wire.PathWhoami),
			Err: &proto.ProtocolError{Err: errors.New("the answer names no user")},
		}
	}
	return user.ID, nil
}

// Applications requests the applications that the credentials may read. Each is the
// JSON text of the resource.
func (a API) Applications(ctx context.Context, c Credential) ([]json.RawMessage, error) {
	raw, err := a.get(ctx, proto.StageRequest, wire.PathApps, c)
	if err != nil {
		return nil, err
	}
	var apps []json.RawMessage
	if err := json.Unmarshal(raw, &apps); err != nil {
		return nil, &proto.HandshakeError{
			Stage: proto.StageRequest, Address: proto.BareAddress(a.Base + wire.PathApps),
			Err: &proto.ProtocolError{Err: errors.New("the answer is not a list of applications")},
		}
	}
	return apps, nil
}

func (a API) get(ctx context.Context, stage netdial.Stage, path string, c Credential) ([]byte, error) {
	req, err := proto.NewRequest(ctx, stage, http.MethodGet, a.Base+path, nil)
	if err != nil {
		return nil, err
	}
	c.header(req.Header)
	return proto.Request(a.Client, req, stage)
}

// errNoIntegration: the installation does not publish the address of its sockets.
var errNoIntegration = errors.New("the installation does not name its WebSocket integration is")

// socket returns the base of the installation's WebSocket integration. Installations
// older than 0.10 publish it to authenticated users only, for which credential is
// called.
func (a API) socket(ctx context.Context, credential func() (Credential, error)) (string, error) {
	doc, _, err := a.Endpoints(ctx)
	if err != nil {
		return "", err
	}
	if doc.WebSocket == nil || doc.WebSocket.URL == "" {
		c, err := credential()
		if err != nil {
			return "", err
		}
		if doc, _, err = a.Info(ctx, c); err != nil {
			return "", err
		}
	}
	if doc.WebSocket == nil || doc.WebSocket.URL == "" {
		return "", &proto.HandshakeError{Stage: proto.StageDiscovery, Address: proto.BareAddress(a.Base), Err: &proto.ProtocolError{Err: errNoIntegration}}
	}
	endpoint := doc.WebSocket.URL
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", &proto.HandshakeError{Stage: proto.StageDiscovery, Address: proto.BareAddress(a.Base), Err: &proto.ProtocolError{Err: fmt.Errorf("the installation names an endpoint that is not a scheme, a host and a path: %s", proto.BareAddress(endpoint))}}
	}
	if err := a.Trusted(endpoint); err != nil {
		return "", err
	}
	return endpoint, nil
}

// Trusted returns an error if credentials that are sent to the API over TLS would be
// sent to another endpoint without it.
func (a API) Trusted(endpoint string) error {
	if strings.HasPrefix(a.Base, "https://") && !strings.HasPrefix(endpoint, "https://") && !strings.HasPrefix(endpoint, "wss://") {
		return &proto.HandshakeError{Stage: proto.StageDiscovery, Address: proto.BareAddress(a.Base), Err: &proto.ProtocolError{Err: fmt.Errorf("the installation names an endpoint without TLS (%s), to which no credentials are sent", proto.BareAddress(endpoint))}}
	}
	return nil
}

// A Credential has at most one of two forms of credentials.
type Credential struct {
	// Token is an OpenID Connect access token.
	Token secret.Value
	// AccessToken is a personal access token of User.
	AccessToken secret.Value
	User        string
}

// header adds the credential to a header.
func (c Credential) header(h http.Header) {
	switch {
	case c.Token != "":
		h.Set("Authorization", "Bearer "+c.Token.Reveal())
	case c.AccessToken != "":
		req := http.Request{Header: h}
		req.SetBasicAuth(c.User, c.AccessToken.Reveal())
	}
}

// query adds the credential to the query of the address.
func (c Credential) query(q url.Values) {
	switch {
	case c.Token != "":
		q.Set(wire.ParamToken, c.Token.Reveal())
	case c.AccessToken != "":
		q.Set(wire.ParamUsername, c.User)
		q.Set(wire.ParamAPIKey, c.AccessToken.Reveal())
	}
}

// A Publisher sends events as a device does, through the HTTP endpoint
// (Drogue Cloud documentation, "HTTP protocol endpoint").
type Publisher struct {
	// Endpoint is the base of the HTTP endpoint, http:// or https://.
	Endpoint string
	// Application, Channel and Device are required. The subject of the event is the
	// channel up to its first slash.
	Application, Channel, Device string
	// As is another device on whose behalf Device, a gateway, sends.
	As string
	// Password is that of Device or, with Username, of this user of Device; nil for an
	// endpoint that requires none.
	Password proto.TokenSource
	Username string
	Client   *http.Client
}

// Publish sends one event. An empty contentType is derived from data.
func (p *Publisher) Publish(ctx context.Context, contentType string, data []byte) error {
	address := p.Endpoint + wire.PathPublish + escapePath(p.Channel)
	password, err := p.Password.Ask(ctx, proto.BareAddress(address))
	if err != nil {
		return err
	}
	query := url.Values{wire.ParamApplication: {p.Application}}
	if p.As != "" {
		query.Set(wire.ParamAs, p.As)
	}
	// With the device in the query, Basic is about one of its users; without, it
	// is about the device itself (drogue-cloud, endpoint-common/src/auth.rs).
	user := p.Username
	if user != "" || password == "" {
		query.Set(wire.ParamDevice, p.Device)
	} else {
		user = p.Device
	}
	req, err := proto.NewRequest(ctx, proto.StageRequest, http.MethodPost, address+"?"+query.Encode(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	if contentType == "" {
		contentType = contentTypeOf(data)
	}
	req.Header.Set("Content-Type", contentType)
	if password != "" {
		req.SetBasicAuth(user, password.Reveal())
	}
	_, err = proto.Request(p.Client, req, proto.StageRequest)
	return err
}

// escapePath escapes the segments of a path.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// contentTypeOf returns the content type that data appears to have.
func contentTypeOf(data []byte) string {
	if ok, _ := eventjson.Valid(data); ok {
		return "application/json"
	}
	if utf8.Valid(data) {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
