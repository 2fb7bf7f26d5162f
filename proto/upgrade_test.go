package proto

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/wsconn"
)

// A refusal is recognized by its status; its body, which may never end, is not waited
// for. The status decides the class, not the time limit of the attempt.
func TestRefusalWithoutEndOfBody(t *testing.T) {
	for _, tt := range []struct {
		status int
		header http.Header
		class  Class
	}{
		{http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Basic realm="a"`, "Bearer"}}, Credentials},
		{http.StatusForbidden, nil, Credentials},
		{http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, Unreachable},
		{http.StatusNotFound, nil, Unreachable},
	} {
		synctest.Test(t, func(t *testing.T) {
			body, w := io.Pipe()
			defer w.Close()
			go io.WriteString(w, "because")
			nw := &network{t: t, refuse: func(int, *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: tt.status, Header: tt.header, Body: body}, nil
			}}
			o := testOptions(nw)
			o.Retries = 0
			start := time.Now()
			err := runTest(t, nw, &recorder{}, o)
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Class != tt.class || !strings.Contains(err.Error(), "because") {
				t.Errorf("Run: %v", err)
			}
			if h, ok := errors.AsType[*HandshakeError](err); !ok || len(h.Challenge) != len(tt.header["Www-Authenticate"]) {
				t.Errorf("challenge: %v", err)
			}
			if d := time.Since(start); d != wsconn.RefusalTime {
				t.Errorf("%d was told after %s, want %s", tt.status, d, wsconn.RefusalTime)
			}
		})
	}
}

// The same applies to the requests of a service.
func TestRefusedRequestWithoutEndOfBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, w := io.Pipe()
		defer w.Close()
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusUnauthorized, Body: body, Request: req}, nil
		})}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = Request(client, req, StageRequest)
		if h, ok := errors.AsType[*HandshakeError](err); !ok || h.Status != http.StatusUnauthorized || time.Since(start) != wsconn.RefusalTime {
			t.Errorf("request: %v after %s", err, time.Since(start))
		}
	})
}

// An invalid response to the opening handshake is reported at once, although the server
// leaves the connection open and sends nothing more.
func TestWrongUpgradeIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for range p.in { // until the client closes
			}
		}}
		o := testOptions(nw)
		o.Retries = 0
		o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := nw.RoundTrip(req)
			resp.Header.Set("Sec-Websocket-Accept", "wrong")
			return resp, err
		})
		start := time.Now()
		err := runTest(t, nw, &recorder{}, o)
		if h, ok := errors.AsType[*HandshakeError](err); !ok || h.Stage != netdial.StageUpgrade || time.Since(start) != 0 {
			t.Errorf("Run: %v after %s", err, time.Since(start))
		}
		nw.wg.Wait()
	})
}

func TestFollow(t *testing.T) {
	for _, tt := range []struct {
		name     string
		hs       Handshake
		to       string
		insecure bool
		text     string
	}{
		{name: "same origin", hs: Handshake{URL: "wss://a/x", Secrets: []string{"1"}, Subprotocols: []string{"s"}}, to: "/y"},
		{name: "credentials of the service", hs: Handshake{URL: "wss://a/x", Secrets: []string{"1"}}, to: "wss://b/x",
			text: "another origin, wss://b/x, where the credentials must not go"},
		{name: "subprotocols", hs: Handshake{URL: "wss://a/x", Subprotocols: []string{"bearer.abc"}}, to: "wss://b/x",
			text: "another origin, wss://b/x, where the subprotocols must not go"},
		{name: "to an unencrypted address", hs: Handshake{URL: "wss://a/x"}, to: "http://b/x",
			text: "from an encrypted connection to one that is not, ws://b/x"},
		{name: "of the same host", hs: Handshake{URL: "wss://a:80/x"}, to: "ws://a:80/x",
			text: "from an encrypted connection to one that is not, ws://a:80/x"},
		{name: "allowed", hs: Handshake{URL: "wss://a/x"}, to: "ws://b/x", insecure: true},
		{name: "to an encrypted address", hs: Handshake{URL: "ws://a/x"}, to: "wss://a/x"},
	} {
		err := tt.hs.follow(tt.to, tt.insecure)
		if tt.text == "" && err != nil || tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.text)
		}
		if err != nil && strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: the error shows a subprotocol: %v", tt.name, err)
		}
	}
}
