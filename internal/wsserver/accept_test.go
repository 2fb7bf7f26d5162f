package wsserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestAccept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, []string{"v2", "v1"}, Rules{})
		if err != nil {
			return
		}
		defer c.Close()
		if err := c.Flush(time.Minute); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		want   string // status and subprotocol
	}{
		{"right", func(*http.Request) {}, "101 "},
		{"subprotocols", func(r *http.Request) { r.Header["Sec-Websocket-Protocol"] = []string{"v0, V1", "v2"} }, "101 v2"},
		{"an unknown subprotocol", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Protocol", "v3") }, "101 "},
		{"a browser's page", func(r *http.Request) { r.Header = http.Header{} }, "426 "},
		{"another upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, "426 "},
		{"POST", func(r *http.Request) { r.Method = http.MethodPost }, "405 "},
		{"another version", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, "400 "},
		{"no key", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }, "400 "},
		{"two keys", func(r *http.Request) { r.Header.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }, "400 "},
		{"a short key", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "c2hvcnQ=") }, "400 "},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket",
			"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			r.Header.Set(name, value)
		}
		tt.change(r)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Sec-WebSocket-Protocol")); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if accept := resp.Header.Get("Sec-WebSocket-Accept"); resp.StatusCode == 101 && accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("%s: Sec-WebSocket-Accept is %q", tt.name, accept)
		}
	}
}
