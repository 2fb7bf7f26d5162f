package wsconn

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// A Request is an opening handshake (RFC 6455, section 4).
type Request struct {
	URL          string
	Host         string // instead of that of URL, if not empty
	Header       http.Header
	Subprotocols []string
	// Compression offers permessage-deflate (RFC 7692).
	Compression bool
}

// An Exchange contains the request and response of an opening handshake.
type Exchange struct {
	Asked  http.Header    // of the request, nil if there was none
	Answer *http.Response // nil if there was none; its body is not to be read
	Body   []byte         // the start of it, if the status is not 101
}

// ErrRefused is returned for a response with another status than 101.
var ErrRefused = errors.New("the server did not open a WebSocket")

// Dial performs an opening handshake, limited by ctx, without following redirects. The
// error is ErrRefused, an *UpgradeError, or that of rt, wrapped by net/http.
func Dial(ctx context.Context, rt http.RoundTripper, req *Request, config Config) (*Conn, *Exchange, error) {
	t := &tapper{base: rt}
	compression := websocket.CompressionDisabled
	if req.Compression {
		compression = websocket.CompressionContextTakeover
	}
	ws, _, err := websocket.Dial(ctx, req.URL, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport: t,
			// net/http would send headers with secrets to the new address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader:      req.Header,
		Host:            req.Host,
		Subprotocols:    req.Subprotocols,
		CompressionMode: compression,
		OnPingReceived: func(ctx context.Context, p []byte) bool {
			t.tap.onPing(p)
			return false // frameWriter sends the answer
		},
		OnPongReceived: func(ctx context.Context, p []byte) { t.tap.onPong(p) },
	})
	switch {
	case err == nil:
		ws.SetReadLimit(config.MaxMessage)
		return newConn(ws, t.tap, config), &t.Exchange, nil
	case t.tap != nil:
		t.tap.Close()
		err = errNoUpgrade
	case t.Answer != nil && t.Answer.StatusCode != http.StatusSwitchingProtocols:
		err = ErrRefused
	}
	return nil, &t.Exchange, err
}

// errNoUpgrade is returned for a valid response that the WebSocket library rejects.
var errNoUpgrade = &UpgradeError{"the server's answer to the opening handshake is not valid"}

// A tapper is the RoundTripper of one opening handshake: it replaces the body of a 101
// response by a tap, and stores the start of any other.
type tapper struct {
	Exchange
	base http.RoundTripper
	tap  *tap
}

// bodyExcerpt is how much of the body of a refusal is read, in bytes.
const bodyExcerpt = 4 << 10

// RoundTrip implements http.RoundTripper.
func (t *tapper) RoundTrip(req *http.Request) (*http.Response, error) {
	t.Asked = req.Header
	var m *meter
	resp, err := t.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { m = meterOf(info.Conn) },
	})))
	if err != nil {
		return nil, err
	}
	t.Answer = resp
	if resp.Request != nil { // with the headers added by transports
		t.Asked = resp.Request.Header
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Body = ReadRefusal(resp.Body, bodyExcerpt)
		resp.Body = http.NoBody
		return resp, nil
	}
	if err := checkUpgrade(req, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	rwc, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, errNoUpgrade
	}
	t.tap = newTap(rwc, m)
	if ext := resp.Header.Values("Sec-Websocket-Extensions"); len(ext) > 0 { // only one was offered
		t.tap.in.deflate = true
		t.tap.zip = &compressor{forget: strings.Contains(strings.ToLower(strings.Join(ext, ";")), "client_no_context_takeover")}
	}
	t.tap.fast = !t.tap.in.deflate
	resp.Body = libraryConn{t.tap}
	return resp, nil
}

// RefusalTime is the time limit for the body of a refusal, which only explains the
// status.
const RefusalTime = 500 * time.Millisecond

// ReadRefusal reads at most limit bytes of the body of a refusal, as far as they arrive
// in time, and closes it.
func ReadRefusal(body io.ReadCloser, limit int64) []byte {
	late := time.AfterFunc(RefusalTime, func() { body.Close() })
	defer late.Stop()
	defer body.Close()
	b, _ := io.ReadAll(io.LimitReader(body, limit))
	return b
}
