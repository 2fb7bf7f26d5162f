package proto

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

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto/wire"
)

// A DrogueAPI is the HTTP side of an installation of Drogue Cloud.
type DrogueAPI struct {
	// Base is the address of the API, http:// or https://.
	Base   string
	Client *http.Client
}

// Endpoints asks for the discovery document, which needs no credentials. raw is
// the document as it came.
func (a DrogueAPI) Endpoints(ctx context.Context) (doc wire.DrogueEndpoints, raw []byte, err error) {
	return a.endpoints(ctx, wire.DroguePathEndpoints, DrogueCredential{})
}

// Info asks for the same document where installations older than 0.10 have it
// complete, with credentials.
func (a DrogueAPI) Info(ctx context.Context, c DrogueCredential) (doc wire.DrogueEndpoints, raw []byte, err error) {
	return a.endpoints(ctx, wire.DroguePathInfo, c)
}

func (a DrogueAPI) endpoints(ctx context.Context, path string, c DrogueCredential) (doc wire.DrogueEndpoints, raw []byte, err error) {
	raw, err = a.get(ctx, StageDiscovery, path, c)
	if err != nil {
		return doc, nil, err
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return doc, nil, &HandshakeError{
			Stage: StageDiscovery, Address: BareAddress(a.Base + path),
			Err: &ProtocolError{errors.New("the answer is not a list of endpoints")},
		}
	}
	return doc, raw, nil
}

// Whoami asks for the id of the user that the credentials belong to.
func (a DrogueAPI) Whoami(ctx context.Context, c DrogueCredential) (id string, err error) {
	raw, err := a.get(ctx, StageRequest, wire.DroguePathWhoami, c)
	if err != nil {
		return "", err
	}
	var user struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &user); err != nil {
		return "", &HandshakeError{
			Stage: StageRequest, Address: BareAddress(a.Base + wire.DroguePathWhoami),
			Err: &ProtocolError{errors.New("the answer names no user")},
		}
	}
	return user.ID, nil
}

// Applications asks for the applications that the credentials may see. Each is the
// JSON text of the resource.
func (a DrogueAPI) Applications(ctx context.Context, c DrogueCredential) ([]json.RawMessage, error) {
	raw, err := a.get(ctx, StageRequest, wire.DroguePathApps, c)
	if err != nil {
		return nil, err
	}
	var apps []json.RawMessage
	if err := json.Unmarshal(raw, &apps); err != nil {
		return nil, &HandshakeError{
			Stage: StageRequest, Address: BareAddress(a.Base + wire.DroguePathApps),
			Err: &ProtocolError{errors.New("the answer is not a list of applications")},
		}
	}
	return apps, nil
}

func (a DrogueAPI) get(ctx context.Context, stage netdial.Stage, path string, c DrogueCredential) ([]byte, error) {
	req, err := NewRequest(ctx, stage, http.MethodGet, a.Base+path, nil)
	if err != nil {
		return nil, err
	}
	c.header(req.Header)
	return Request(a.Client, req, stage)
}

// errNoIntegration: the installation does not say where its sockets are.
var errNoIntegration = errors.New("the installation does not tell where its WebSocket integration is")

// socket is the base of the installation's WebSocket integration. Installations
// older than 0.10 tell it only to those who have credentials, for which
// credential is called then.
func (a DrogueAPI) socket(ctx context.Context, credential func() (DrogueCredential, error)) (string, error) {
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
		return "", &HandshakeError{Stage: StageDiscovery, Address: BareAddress(a.Base), Err: &ProtocolError{errNoIntegration}}
	}
	endpoint := doc.WebSocket.URL
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", &HandshakeError{Stage: StageDiscovery, Address: BareAddress(a.Base), Err: &ProtocolError{
			fmt.Errorf("the installation names an endpoint that is not a scheme, a host and a path: %s", BareAddress(endpoint)),
		}}
	}
	if err := a.Trusted(endpoint); err != nil {
		return "", err
	}
	return endpoint, nil
}

// Trusted checks that credentials which go to the API over TLS would not go to
// another endpoint in the clear.
func (a DrogueAPI) Trusted(endpoint string) error {
	if strings.HasPrefix(a.Base, "https://") && !strings.HasPrefix(endpoint, "https://") && !strings.HasPrefix(endpoint, "wss://") {
		return &HandshakeError{Stage: StageDiscovery, Address: BareAddress(a.Base), Err: &ProtocolError{
			fmt.Errorf("the installation names an endpoint without TLS (%s), to which no credentials are sent", BareAddress(endpoint)),
		}}
	}
	return nil
}

// A DrogueCredential is one of the two forms of credentials, or none of them.
type DrogueCredential struct {
	// Token is an OpenID Connect access token.
	Token secret.Value
	// AccessToken is a personal access token of User.
	AccessToken secret.Value
	User        string
}

// header sends the credential in a header.
func (c DrogueCredential) header(h http.Header) {
	switch {
	case c.Token != "":
		h.Set("Authorization", "Bearer "+c.Token.Reveal())
	case c.AccessToken != "":
		req := http.Request{Header: h}
		req.SetBasicAuth(c.User, c.AccessToken.Reveal())
	}
}

// query sends the credential in the address.
func (c DrogueCredential) query(q url.Values) {
	switch {
	case c.Token != "":
		q.Set(wire.DrogueParamToken, c.Token.Reveal())
	case c.AccessToken != "":
		q.Set(wire.DrogueParamUsername, c.User)
		q.Set(wire.DrogueParamAPIKey, c.AccessToken.Reveal())
	}
}

// A DroguePublisher sends events as a device does, through the HTTP endpoint
// (Drogue Cloud documentation, "HTTP protocol endpoint").
type DroguePublisher struct {
	// Endpoint is the base of the HTTP endpoint, http:// or https://.
	Endpoint string
	// Application, Channel and Device are required. What follows the first slash
	// of a channel is not part of the subject of the event.
	Application, Channel, Device string
	// As is another device that Device, a gateway, sends for.
	As string
	// Password is that of Device or, with Username, of this user of Device; nil
	// for an endpoint that asks for none.
	Password TokenSource
	Username string
	Client   *http.Client
}

// Publish sends one event. An empty contentType is found out from data.
func (p *DroguePublisher) Publish(ctx context.Context, contentType string, data []byte) error {
	address := p.Endpoint + wire.DroguePathPublish + escapePath(p.Channel)
	password, err := p.Password.Ask(ctx, BareAddress(address))
	if err != nil {
		return err
	}
	query := url.Values{wire.DrogueParamApplication: {p.Application}}
	if p.As != "" {
		query.Set(wire.DrogueParamAs, p.As)
	}
	// With the device in the query, Basic is about one of its users; without, it
	// is about the device itself (drogue-cloud, endpoint-common/src/auth.rs).
	user := p.Username
	if user != "" || password == "" {
		query.Set(wire.DrogueParamDevice, p.Device)
	} else {
		user = p.Device
	}
	req, err := NewRequest(ctx, StageRequest, http.MethodPost, address+"?"+query.Encode(), bytes.NewReader(data))
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
	_, err = Request(p.Client, req, StageRequest)
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

// contentTypeOf is what the data looks like.
func contentTypeOf(data []byte) string {
	if ok, _ := jsontext.Scan(data); ok {
		return "application/json"
	}
	if utf8.Valid(data) {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
