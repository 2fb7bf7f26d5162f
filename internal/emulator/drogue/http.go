package drogue

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/hark-cli/hark/proto/drogue/wire"
)

// DevicePassword is the password of every device of DemoApplication and
// DemoPublicApplication.
const DevicePassword = "demoDevicePassword"

// maxPayload is the largest payload of a device (drogue-bazaar,
// src/actix/http/defaults.rs).
const maxPayload = 64 << 10

// servePublish is the HTTP endpoint for devices: POST /v1/CHANNEL or /v1/CHANNEL/SUFFIX
// (drogue-cloud, http-endpoint/src/telemetry.rs). An accepted event gets 202 and no
// body.
func (d *server) servePublish(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/")
	channel, _, _ := strings.Cut(rest, "/")
	channel, err := url.PathUnescape(channel)
	switch {
	case !ok || err != nil || channel == "":
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	app, device := d.deviceOf(r)
	if app == nil {
		answer(w, http.StatusForbidden, wire.Error{
			Error: "AuthenticationError", Message: "Authentication failed",
		})
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	q := r.URL.Query()
	in := input{
		kind:        wire.TypeEvent,
		channel:     channel,
		device:      device,
		sender:      device,
		contentType: r.Header.Get("Content-Type"),
		dataSchema:  q.Get("data_schema"),
		payload:     payload,
	}
	if as := q.Get("as"); as != "" {
		in.device = as
	}
	media, _, _ := mime.ParseMediaType(in.contentType)
	if isJSONType(media) && !json.Valid(payload) {
		w.WriteHeader(http.StatusNotAcceptable)
		return
	}
	d.publish(app, in)
	w.WriteHeader(http.StatusAccepted)
}

// deviceOf authenticates a device by password: as DEVICE@APP, or with the
// application, and possibly the device, among the parameters (drogue-cloud,
// endpoint-common/src/auth.rs). It returns nil for the application otherwise.
func (d *server) deviceOf(r *http.Request) (*application, string) {
	q := r.URL.Query()
	name, device := q.Get("application"), q.Get("device")
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Basic ")
	b, err := base64.StdEncoding.DecodeString(text)
	user, password, ok := strings.Cut(string(b), ":")
	if err != nil || !ok {
		return nil, ""
	}
	if local, scope, ok := strings.Cut(user, "@"); ok && name == "" {
		user, name = local, scope
	}
	if device == "" {
		device = user
	}
	app := d.apps[name]
	if app == nil || name == DemoPrivateApplication || device == "" || password != DevicePassword {
		return nil, ""
	}
	return app, device
}

// compactJSON returns valid JSON without white space between its tokens.
func compactJSON(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}
