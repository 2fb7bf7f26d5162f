package netdial

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wireRequest returns the lines that a server receives for a request to address.
func wireRequest(t *testing.T, n *Network, address string, header http.Header) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan []string, 1)
	go func() {
		defer close(got)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var lines []string
		for s := bufio.NewScanner(c); s.Scan() && s.Text() != ""; {
			lines = append(lines, s.Text())
		}
		io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		got <- lines
	}()
	n.ConnectTo = func(string, string) (string, string) {
		host, port, _ := net.SplitHostPort(l.Addr().String())
		return host, port
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := NewTransport(n).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Request != req {
		t.Error("the response does not belong to the request as it was made")
	}
	lines := <-got
	slices.Sort(lines[1:])
	return lines
}

// Strict servers compare the names of headers byte by byte. The user's are sent as
// typed, without duplicates.
func TestHeaderNamesOnTheWire(t *testing.T) {
	n := &Network{HeaderNames: map[string]string{"X-Lower": "x-lower", "User-Agent": "user-agent", "Accept-Encoding": "accept-encoding"}}
	got := wireRequest(t, n, "http://test.example/a", http.Header{
		"Sec-Websocket-Key": {"k"}, "Sec-Websocket-Version": {"13"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"X-Lower": {"1", "2"}, "User-Agent": {"me"}, "Accept-Encoding": {"br"},
	})
	want := []string{
		"GET /a HTTP/1.1", "Accept-Encoding: br", "Connection: Upgrade", "Host: test.example",
		"Sec-WebSocket-Key: k", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "user-agent: me", "x-lower: 1", "x-lower: 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The Host header contains the host that is looked up.
func TestHostOnTheWire(t *testing.T) {
	for host, want := range map[string]string{
		"BÜCHER.example:81":    "xn--bcher-kva.example:81",
		"bücher.example":       "xn--bcher-kva.example",
		"bu\u0308cher.example": "xn--bcher-kva.example",
		"test.example":         "test.example",
		"[::1]:81":             "[::1]:81",
		"a_b.example":          "a_b.example",
	} {
		var looked string
		got := wireRequest(t, &Network{Proxy: func(_ bool, host, _ string) (*Proxy, error) {
			looked = host
			return nil, nil
		}}, "http://"+host+"/", http.Header{})
		if !slices.Contains(got, "Host: "+want) {
			t.Errorf("%s: %q, want Host: %s", host, got, want)
		}
		if name, _, _ := strings.Cut(strings.Trim(want, "[]"), ":8"); !strings.HasPrefix(strings.Trim(want, "[]"), looked) {
			t.Errorf("%s: %s is looked up, want %s", host, looked, name)
		}
	}
}

// A name below localhost is localhost, whatever a resolver returns.
func TestNamesBelowLocalhost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "app.localhost": true, "App.LOCALHOST.": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"localhost.example": false, "notlocalhost": false, "10.0.0.1": false, "": false,
	} {
		if got := Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %t", host, got)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	conn, err := (&Network{Family: "tcp4"}).tcp(context.Background(), "app.localhost", port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// The request line contains only valid bytes, whatever was typed.
func TestQueryOnTheWire(t *testing.T) {
	for typed, want := range map[string]string{
		"/a?q=x y":                 "/a?q=x%20y",
		"/a?q=ü&n=\"<>'":           "/a?q=%C3%BC&n=%22%3C%3E%27",
		"/a?q=x%20y&p=100%":        "/a?q=x%20y&p=100%",
		"/a?filter[a]=b|c&d={e}":   "/a?filter[a]=b|c&d={e}",
		"/a?q=\xff":                "/a?q=%FF",
		"/ä b?":                    "/%C3%A4%20b?",
		"/a?a=b?c=d&e=f+g&h=%2B/;": "/a?a=b?c=d&e=f+g&h=%2B/;",
	} {
		if got := wireRequest(t, &Network{}, EncodeQuery("http://test.example"+typed), http.Header{})[0]; got != "GET "+want+" HTTP/1.1" {
			t.Errorf("%s: %s, want GET %s HTTP/1.1", typed, got, want)
		}
	}
}
