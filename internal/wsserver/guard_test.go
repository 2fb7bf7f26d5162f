package wsserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuard(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	all := &net.TCPAddr{IP: net.IPv4zero, Port: 8080}
	unix := &net.UnixAddr{Name: "hub.socket", Net: "unix"}
	for _, tt := range []struct {
		name           string
		addr           net.Addr
		address        string
		origins, hosts []string
		host, origin   string
		want           int
	}{
		{"a program", local, "127.0.0.1:8080", nil, nil, "127.0.0.1:8080", "", 200},
		{"a program that names no host", local, "127.0.0.1:8080", nil, nil, "", "", 200},
		{"a page of this machine", local, "127.0.0.1:8080", nil, nil, "localhost:8080", "http://localhost:3000", 200},
		{"an address of this machine", local, "127.0.0.1:8080", nil, nil, "127.8.8.8", "https://[::1]:3000", 200},
		{"a name below localhost", local, "127.0.0.1:8080", nil, nil, "app.localhost.:80", "http://APP.localhost", 200},
		{"a foreign page", local, "127.0.0.1:8080", nil, nil, "127.0.0.1:8080", "https://evil.example", 403},
		{"a page in a sandbox", local, "127.0.0.1:8080", nil, nil, "127.0.0.1:8080", "null", 403},
		{"a name that begins alike", local, "127.0.0.1:8080", nil, nil, "127.0.0.1:8080", "http://localhost.evil.example", 403},
		{"a user name alike", local, "127.0.0.1:8080", nil, nil, "127.0.0.1:8080", "http://localhost@evil.example", 403},
		{"no origin at all", local, "127.0.0.1:8080", nil, nil, "127.0.0.1:8080", "localhost", 403},
		{"rebinding", local, "127.0.0.1:8080", nil, nil, "evil.example:8080", "", 403},
		{"rebinding, same origin", local, "127.0.0.1:8080", nil, nil, "evil.example:8080", "http://evil.example:8080", 403},
		{"rebinding, origin allowed", local, "127.0.0.1:8080", []string{"*"}, nil, "evil.example:8080", "http://evil.example:8080", 403},
		{"broken host", local, "127.0.0.1:8080", nil, nil, "a b", "", 403},
		{"the name that was listened on", local, "Dev.Internal:8080", nil, nil, "dev.internal:8080", "", 200},
		{"a host that was allowed", local, "127.0.0.1:8080", nil, []string{"tunnel.example"}, "Tunnel.example", "", 200},
		{"all hosts", local, "127.0.0.1:8080", nil, []string{"*"}, "evil.example", "", 200},
		{"an origin that was allowed", local, "127.0.0.1:8080", []string{"https://app.example/"}, nil, "localhost", "https://APP.example", 200},
		{"another port of it", local, "127.0.0.1:8080", []string{"https://app.example"}, nil, "localhost", "https://app.example:8443", 403},
		{"an origin that was allowed with its usual port", local, "127.0.0.1:8080", []string{"https://app.example:443"}, nil, "localhost", "https://app.example", 200},
		{"an origin that was allowed without it", local, "127.0.0.1:8080", []string{"http://app.example"}, nil, "localhost", "http://app.example:80", 200},
		{"the usual port of another scheme", local, "127.0.0.1:8080", []string{"https://app.example:80"}, nil, "localhost", "https://app.example", 403},
		{"an extension that is called localhost", local, "127.0.0.1:8080", nil, nil, "localhost", "chrome-extension://localhost", 403},
		{"an origin without a scheme", local, "127.0.0.1:8080", nil, nil, "localhost", "//localhost", 403},
		{"an extension that was allowed", local, "127.0.0.1:8080", []string{"chrome-extension://abc"}, nil, "localhost", "chrome-extension://abc", 200},
		{"a host that was allowed, absolute", local, "127.0.0.1:8080", nil, []string{"foo.test"}, "foo.test.:8080", "", 200},
		{"a host that was allowed as absolute", local, "127.0.0.1:8080", nil, []string{"foo.test."}, "foo.test", "", 200},
		{"the name that was listened on, absolute", local, "Dev.Internal.:8080", nil, nil, "dev.internal", "", 200},
		{"no name but a dot", local, "127.0.0.1:8080", nil, nil, ".", "", 403},
		{"null that was allowed", local, "127.0.0.1:8080", []string{"null"}, nil, "localhost", "null", 200},
		{"for everybody, any name", all, ":8080", nil, nil, "stream.example:8080", "", 200},
		{"for everybody, a foreign page", all, ":8080", nil, nil, "stream.example:8080", "http://stream.example:8080", 403},
		{"a socket of this machine", unix, "hub.socket", nil, nil, "whatever", "", 200},
	} {
		refused := 0
		g := NewGuard(tt.addr, tt.address, tt.origins, tt.hosts)
		g.Refused = func(*RefusedError) { refused++ }
		h := g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for range 2 {
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = tt.host
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
			}
		}
		if want := map[int]int{200: 0, 403: 1}[tt.want]; refused != want {
			t.Errorf("%s: told %d times, want %d", tt.name, refused, want)
		}
	}
}

// An allowed origin does not permit a second header.
func TestGuardReadsEachOrigin(t *testing.T) {
	g := NewGuard(&net.TCPAddr{IP: net.IPv6loopback}, "[::1]:1", nil, nil)
	r := httptest.NewRequest("GET", "http://[::1]:1/", nil)
	r.Header["Origin"] = []string{"http://localhost", "https://evil.example"}
	w := httptest.NewRecorder()
	g.Wrap(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("%d, want 403", w.Code)
	}
}

func TestValid(t *testing.T) {
	for origin, want := range map[string]bool{
		"*": true, "null": true, "https://app.example": true, "http://localhost:3000/": true, "chrome-extension://abc": true,
		"app.example": false, "https://": false, "https://a/b": false, "https://u@a": false, "": false, "https://a?b": false,
	} {
		if got := ValidOrigin(origin); got != want {
			t.Errorf("origin %q: %v", origin, got)
		}
	}
	for host, want := range map[string]bool{
		"*": true, "dev.internal": true, "::1": true, "10.0.0.1": true, "a:80": false, "http://a": false, "": false, "a b": false,
	} {
		if got := ValidHost(host); got != want {
			t.Errorf("host %q: %v", host, got)
		}
	}
}
