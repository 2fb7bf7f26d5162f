package doshii

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// AppJWT signs a credential for the REST interface with the client secret of an app. It
// is valid for wire.JWTWindow, so a new one is signed for each request (Doshii help
// centre, "App Authentication").
func AppJWT(now time.Time, clientID, clientSecret secret.Value) secret.Value {
	return signedJWT(wire.Claims{ClientID: clientID.Reveal(), Timestamp: now.Unix()}, clientSecret)
}

// VendorJWT signs the token of a vendor's socket with the vendor key (Doshii
// help centre, "Connection" of the POS partners).
func VendorJWT(now time.Time, vendor string, vendorKey secret.Value) secret.Value {
	return signedJWT(wire.Claims{Vendor: vendor, Timestamp: now.Unix()}, vendorKey)
}

// signedJWT returns a JSON Web Token with HMAC-SHA256 (RFC 7519; RFC 7515, appendix
// A.1).
func signedJWT(claims wire.Claims, key secret.Value) secret.Value {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(eventjson.Encode(claims))
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(text))
	return secret.Value(text + "." + enc.EncodeToString(mac.Sum(nil)))
}

// An API is the REST interface for apps.
type API struct {
	// Base is the address of the interface, https://<env>.doshii.co/partner/v3.
	Base string
	// ClientID and ClientSecret are read again for each request.
	ClientID, ClientSecret proto.TokenSource
	Client                 *http.Client
	// Secret is called with the credential of each request before it is used.
	Secret func(value string)
}

// A Subscription has the optional members of a subscription to a location.
type Subscription struct {
	MappedLocationID string `json:"mappedLocationId,omitempty"`
	UseFilteredMenu  bool   `json:"useFilteredMenu,omitempty"`
}

// Subscribe subscribes the app to a location: without a subscription, no events of the
// location are received. It returns the body of the response.
func (a *API) Subscribe(ctx context.Context, location string, s Subscription) ([]byte, error) {
	return a.call(ctx, http.MethodPost, "/locations/"+url.PathEscape(location)+"/subscription", location, s)
}

// Unsubscribe ends the subscription to a location.
func (a *API) Unsubscribe(ctx context.Context, location string) ([]byte, error) {
	return a.call(ctx, http.MethodDelete, "/locations/"+url.PathEscape(location)+"/subscription", location, nil)
}

// Devices lists the registered devices of the app, each as JSON text of the response.
func (a *API) Devices(ctx context.Context) ([]json.RawMessage, error) {
	answer, err := a.call(ctx, http.MethodGet, "/devices", "", nil)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, &proto.HandshakeError{
			Stage: proto.StageRequest, Address: proto.BareAddress(a.Base + "/devices"),
			Err: &proto.ProtocolError{Err: errors.New("the answer is not a list of devices")},
		}
	}
	return list, nil
}

// A NewDevice describes a device to register. An empty list means no restriction.
type NewDevice struct {
	Name string `json:"name"`
	Ref  string `json:"ref"`
	// Events are names of events, Terminals and LocationIDs hashed ids, Channels
	// names such as "Pay@Table" and "Order ahead".
	Events      []string `json:"events"`
	Terminals   []string `json:"terminals"`
	Channels    []string `json:"channels"`
	LocationIDs []string `json:"locationIds"`
}

// CreateDevice registers a device and returns the body of the response; its doshiiId is
// a value for Service.DeviceID.
func (a *API) CreateDevice(ctx context.Context, d NewDevice) ([]byte, error) {
	for _, list := range []*[]string{&d.Events, &d.Terminals, &d.Channels, &d.LocationIDs} {
		if *list == nil {
			*list = []string{}
		}
	}
	return a.call(ctx, http.MethodPost, "/devices", "", d)
}

// DeleteDevice unregisters a device.
func (a *API) DeleteDevice(ctx context.Context, id string) ([]byte, error) {
	return a.call(ctx, http.MethodDelete, "/devices/"+url.PathEscape(id), "", nil)
}

func (a *API) call(ctx context.Context, method, path, location string, body any) ([]byte, error) {
	address := proto.BareAddress(a.Base)
	id, err := a.ClientID.Ask(ctx, address)
	if err != nil {
		return nil, err
	}
	key, err := a.ClientSecret.Ask(ctx, address)
	if err != nil {
		return nil, err
	}
	var payload []byte
	if body != nil {
		payload = eventjson.Encode(body)
	}
	req, err := proto.NewRequest(ctx, proto.StageRequest, method, a.Base+path, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	jwt := AppJWT(time.Now(), id, key)
	if a.Secret != nil {
		a.Secret(jwt.Reveal())
	}
	req.Header.Set("Authorization", "Bearer "+jwt.Reveal())
	req.Header.Set("Content-Type", "application/json")
	if location != "" {
		req.Header.Set(wire.HeaderLocation, location)
	}
	answer, err := proto.Request(a.Client, req, proto.StageRequest)
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok && e.Status == http.StatusForbidden {
		// Invalid credentials get a 401.
		return nil, &proto.Failure{Class: proto.Refused, Err: err}
	}
	return answer, err
}
