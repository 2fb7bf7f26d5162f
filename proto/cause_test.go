package proto

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What the network, TLS and HTTP say in the words of their packages is told in those
// of a user, and the error stays what it is.
func TestExplain(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	read := &net.OpError{Op: "read", Net: "tcp", Addr: dial.Addr, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	authority := x509.UnknownAuthorityError{}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{dial, "192.0.2.1:80: connection refused"},
		{read, "connection reset"},
		{fmt.Errorf("failed to read: %w", io.ErrUnexpectedEOF), "the server closed the connection without an answer"},
		{context.DeadlineExceeded, "timed out"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, "timed out"},
		{&tls.CertificateVerificationError{Err: authority}, "certificate signed by unknown authority"},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(70)}, "the server ended the TLS handshake: protocol version not supported"},
		{http.ErrSchemeMismatch, "the answer is not TLS"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "the answer is not TLS"},
		{errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0"`), "the answer is not HTTP"},
		{errors.New("net/http: server response headers exceeded 262144 bytes; aborted"), "the header of the answer is too large"},
		{&net.AddrError{Err: "no suitable address found", Addr: "example.com"}, "example.com: no suitable address found"},
		{errors.New("it does not speak SOCKS 5"), "it does not speak SOCKS 5"},
	} {
		got := explain(tt.err)
		if got.Error() != tt.want || !errors.Is(got, tt.err) && got != tt.err {
			t.Errorf("%v: %v, want %s", tt.err, got, tt.want)
		}
		if again := explain(got); again != got {
			t.Errorf("%v is explained twice: %v", tt.err, again)
		}
	}
}

// No words of a library reach a user: every failure that servers can cause here is
// made for real.
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
		o.Transport = NewTransport(&Network{MaxHeader: 256 << 10})
		err := Run(t.Context(), &Plain{URL: address + "/"}, &recorder{}, o)
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
