package proto

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
)

// No message of a library reaches a user: every failure that servers can cause is
// produced.
func TestNoWordsOfLibraries(t *testing.T) {
	answer := func(text string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					c.Read(make([]byte, 4096))
					io.WriteString(c, text)
				}()
			}
		}()
		return l.Addr().String()
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	u, err := url.Parse(secure.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"ws://" + answer(""), "ws://" + answer("SSH-2.0-x\r\n"), "ws://" + answer("HTTP/1.1 101 X\r\n: \r\n\r\n"),
		"ws://" + answer("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"), "ws://" + answer("HTTP/1.1 101 X\r\n\r\n"),
		"ws://" + answer("HTTP/1.1 000 X\r\n\r\n"), "wss://" + answer("HTTP/1.1 400 Bad\r\n\r\n"), "wss://" + answer(""),
		"wss://" + u.Host, "wss://[::1]:1", "ws://127.0.0.1:1", "ws://" + u.Host,
	} {
		o := DefaultOptions()
		o.Retries = 0
		o.Transport = netdial.NewTransport(&netdial.Network{MaxHeader: 256 << 10})
		err := Run(t.Context(), &rawService{URL: address + "/"}, &recorder{}, o)
		if err == nil {
			t.Errorf("%s: no error", address)
			continue
		}
		for _, word := range []string{"net/http", "x509", "tls:", "dial tcp", "read tcp", "EOF", "context ", "failed to", "syscall", "malformed"} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q in: %v", address, word, err)
			}
		}
		t.Logf("%s: %v", address, err)
	}
}

// An interrupted attempt reports its stage.
func TestTimeoutNamesTheStage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	for _, tt := range []struct {
		url   string
		proxy *netdial.Proxy
		stage netdial.Stage
	}{
		{"ws://" + l.Addr().String(), nil, netdial.StageUpgrade},
		{"wss://" + l.Addr().String(), nil, netdial.StageTLS},
		{"ws://target.example", &netdial.Proxy{Kind: "http", Host: host, Port: port}, netdial.StageProxy},
		{"ws://target.example", &netdial.Proxy{Kind: "https", Host: host, Port: port}, netdial.StageProxy},
		{"ws://target.example", &netdial.Proxy{Kind: "socks5h", Host: host, Port: port}, netdial.StageProxy},
	} {
		n := netdial.NewTransport(&netdial.Network{Proxy: func(bool, string, string) (*netdial.Proxy, error) { return tt.proxy, nil }})
		o := DefaultOptions()
		o.Transport = n
		o.Retries = 0
		o.ConnectTimeout = 50 * time.Millisecond
		err := Run(t.Context(), &rawService{URL: tt.url}, &recorder{}, o)
		h, ok := errors.AsType[*HandshakeError](err)
		if !ok || h.Stage != tt.stage || !is[*ConnectTimeoutError](err) {
			t.Errorf("%s through %v: %v, want stage %s", tt.url, tt.proxy, err, tt.stage)
		} else if tt.proxy != nil && h.Address != tt.proxy.Address() {
			t.Errorf("%s through %v: the error names %s", tt.url, tt.proxy, h.Address)
		}
		n.CloseIdleConnections()
	}
}
