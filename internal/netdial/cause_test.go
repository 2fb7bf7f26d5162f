package netdial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
)

// Errors of the network, TLS and HTTP get messages for users, and can still be
// unwrapped.
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
		got := Explain(tt.err)
		if got.Error() != tt.want || !errors.Is(got, tt.err) && got != tt.err {
			t.Errorf("%v: %v, want %s", tt.err, got, tt.want)
		}
		if again := Explain(got); again != got {
			t.Errorf("%v is explained twice: %v", tt.err, again)
		}
	}
}
