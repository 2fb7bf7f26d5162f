package netdial

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// through requests a tunnel over a pipe from a scripted server, and returns what the
// proxy received.
func through(t *testing.T, p *Proxy, serve func(net.Conn)) (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		serve(c)
	}()
	p.Host, p.Port, _ = net.SplitHostPort(l.Addr().String())
	n := &Network{Proxy: func(bool, string, string) (*Proxy, error) { return p, nil }, MaxHeader: 64 << 10}
	return n.connect(t.Context(), false, "target.example:80")
}

func TestConnectThroughProxy(t *testing.T) {
	got := make(chan *http.Request, 1)
	conn, err := through(t, &Proxy{Kind: "http", User: "alice", Password: "p:w"}, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			t.Error(err)
			return
		}
		got <- req
		// The first bytes of the server arrive together with the response.
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n")
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello")
		io.WriteString(c, " world")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := <-got
	if req.Method != "CONNECT" || req.Host != "target.example:80" {
		t.Errorf("%s %s", req.Method, req.Host)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:p:w")); req.Header.Get("Proxy-Authorization") != want {
		t.Errorf("Proxy-Authorization: %s", req.Header.Get("Proxy-Authorization"))
	}
	if b, err := io.ReadAll(conn); err != nil || string(b) != "hello world" {
		t.Errorf("through the tunnel came %q, %v", b, err)
	}
}

func TestProxyTroubles(t *testing.T) {
	head := func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)) }
	tests := []struct {
		name    string
		proxy   Proxy
		serve   func(net.Conn)
		text    string
		refused bool
	}{
		{"credentials", Proxy{Kind: "http"}, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 407 No\r\n\r\n")
		}, "HTTP 407 Proxy Authentication Required", true},
		{"hangs up", Proxy{Kind: "http"}, func(c net.Conn) { head(c) }, "closed the connection without an answer", false},
		{"header bomb", Proxy{Kind: "http"}, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, "the header of its answer is too large", false},
		{"no HTTP", Proxy{Kind: "http"}, func(c net.Conn) {
			head(c)
			io.WriteString(c, "SSH-2.0-x\r\n\r\n")
		}, "its answer is not HTTP", false},
		{"only interim answers", Proxy{Kind: "http"}, func(c net.Conn) {
			head(c)
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
					return
				}
			}
		}, "the header of its answer is too large", false},
		{"no SOCKS", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad\r\n\r\n") }, "does not speak SOCKS 5", false},
		{"no method", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\xff") }, "requires a user name", true},
		{"wants what we have not", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\x02") }, "requires a user name", true},
		{"no method with credentials", Proxy{Kind: "socks5h", User: "a", Password: "b"}, func(c net.Conn) { io.WriteString(c, "\x05\xff") }, "accepts neither", true},
		{"refused in two bytes", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\x00\x05\x02") }, "not allowed by its rules", false},
		{"half a reply", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\x00\x05") }, "in the middle of its answer", false},
		{"status 000", Proxy{Kind: "http"}, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 000\r\n\r\n")
		}, "status 000", false},
		{"only schemes that hark does not have", Proxy{Kind: "http", User: "a", Password: "b"}, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Digest realm=\"a, Basic b\", nonce=x, NTLM\r\n\r\n")
		}, "HTTP 407 Proxy Authentication Required (it offers Negotiate, Digest, NTLM)", true},
		{"password refused", Proxy{Kind: "socks5h", User: "a", Password: "b"}, func(c net.Conn) { io.WriteString(c, "\x05\x02\x01\x01") }, "refused the user name or the password", true},
		{"unreachable", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00") }, "host unreachable", false},
		{"unknown code", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\x00\x05\x63\x00\x01\x00\x00\x00\x00\x00\x00") }, "SOCKS error 99", false},
		{"cut short", Proxy{Kind: "socks5h"}, func(c net.Conn) { io.WriteString(c, "\x05\x00\x05\x00\x00") }, "closed the connection", false},
		{"too long", Proxy{Kind: "socks5h", User: strings.Repeat("x", 256), Password: "p"}, func(c net.Conn) {}, "up to 255 bytes", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := through(t, &tt.proxy, func(c net.Conn) {
				tt.serve(c)
				// Let the client read before the connection is reset.
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
			})
			if err == nil {
				conn.Close()
				t.Fatal("the proxy was taken for a good one")
			}
			p, ok := errors.AsType[*ProxyError](err)
			if !ok || !strings.Contains(err.Error(), tt.text) || p.Refused != tt.refused || StageOf(err) != StageProxy {
				t.Errorf("%v (%#v), want %s", err, p, tt.text)
			}
		})
	}
}

func TestSOCKS(t *testing.T) {
	var got bytes.Buffer
	var mu sync.Mutex
	conn, err := through(t, &Proxy{Kind: "socks5h", User: "alice", Password: "secret"}, func(c net.Conn) {
		read := func(n int) {
			b := make([]byte, n)
			io.ReadFull(c, b)
			mu.Lock()
			got.Write(b)
			mu.Unlock()
		}
		read(4)
		io.WriteString(c, "\x05\x02")
		read(1 + 1 + 5 + 1 + 6)
		io.WriteString(c, "\x01\x00")
		read(4 + 1 + 14 + 2)
		io.WriteString(c, "\x05\x00\x00\x03\x03abc\x00\x01hello")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); err != nil || string(b) != "hello" {
		t.Errorf("through the tunnel came %q, %v", b, err)
	}
	want := "\x05\x02\x00\x02" + "\x01\x05alice\x06secret" + "\x05\x01\x00\x03\x0etarget.example\x00\x50"
	if got.String() != want {
		t.Errorf("the proxy got %q, want %q", got.String(), want)
	}
}

func TestReports(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var mu sync.Mutex
	var got []Stage
	n := &Network{Report: func(r Report) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Stage)
		if r.Stage == StageDNS && r.Err == nil && len(r.Addresses) == 0 {
			t.Error("no addresses were found")
		}
	}}
	for _, tt := range []struct {
		host string
		want []Stage
	}{
		{"localhost", []Stage{StageDNS, StageTCP}},
		{"127.0.0.1", []Stage{StageTCP}},
		{"host.invalid", []Stage{StageDNS}},
	} {
		got = nil
		conn, err := n.connect(context.Background(), false, net.JoinHostPort(tt.host, port))
		if err == nil {
			conn.Close()
		}
		if len(got) != len(tt.want) || got[0] != tt.want[0] {
			t.Errorf("%s: %v, want %v (%v)", tt.host, got, tt.want, err)
		}
	}
}

// FuzzProxyAnswer fuzzes the response of a proxy.
func FuzzProxyAnswer(f *testing.F) {
	f.Add("http", []byte("HTTP/1.1 200 OK\r\n\r\nx"))
	f.Add("http", []byte("HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add("socks5h", []byte("\x05\x02\x01\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50x"))
	f.Add("socks5h", []byte("\x05\x00\x05\x00\x00\x03\x01a\x00\x50"))
	f.Fuzz(func(t *testing.T, kind string, answer []byte) {
		client, server := net.Pipe()
		defer client.Close()
		var wg sync.WaitGroup
		defer wg.Wait()
		defer server.Close()
		wg.Go(func() { io.Copy(io.Discard, server) })
		wg.Go(func() {
			server.Write(answer)
			server.Close()
		})
		p := &Proxy{Kind: kind, Host: "proxy", Port: "1", User: "u", Password: "p"}
		if strings.HasPrefix(kind, "socks") {
			var n Network
			_ = n.socks(context.Background(), client, p, "host", "80")
		} else if conn, err := connectThrough(client, p, "host:80", 4096); err == nil {
			conn.Close()
		}
	})
}
