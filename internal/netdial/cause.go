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
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// A cause is an error of the network, of TLS or of HTTP with a message for users.
// Unwrap returns the original error.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// Explain replaces the message of a known error of the standard library by one for
// users: what happened, not which function of which package failed.
func Explain(err error) error {
	if err == nil || is[*cause](err) {
		return err
	}
	if text := explanation(err); text != "" {
		return &cause{text, err}
	}
	return err
}

func explanation(err error) string {
	if text := tlsExplanation(err); text != "" {
		return text
	}
	if text := errnoExplanation(err); text != "" {
		if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" && e.Addr != nil {
			return e.Addr.String() + ": " + text // one of several addresses of a name
		}
		return text
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return "the server closed the connection without an answer"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	}
	if e, ok := errors.AsType[*net.AddrError](err); ok {
		return strings.TrimPrefix(e.Addr+": ", ": ") + e.Err
	}
	return httpExplanation(err)
}

// tlsExplanation returns the message for a failure of the TLS handshake.
func tlsExplanation(err error) string {
	if is[tls.RecordHeaderError](err) || errors.Is(err, http.ErrSchemeMismatch) {
		return "the answer is not TLS"
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server ended the TLS handshake: " + strings.TrimPrefix(e.Error(), "tls: ")
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return "the server ended the TLS handshake: " + strings.TrimPrefix(e.Err.Error(), "tls: ")
	}
	if is[x509.UnknownAuthorityError](err) {
		return "certificate signed by unknown authority"
	}
	text := err.Error()
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		text = e.Err.Error()
	}
	if rest, ok := strings.CutPrefix(text, "x509: "); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(text, "tls: "); ok {
		return "TLS handshake: " + rest
	}
	return ""
}

// errnoExplanation returns the message for an error of the operating system.
func errnoExplanation(err error) string {
	number, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok:
		return ""
	case ConnectionRefused(err):
		return "connection refused"
	case number == syscall.ECONNRESET:
		return "connection reset"
	case number == syscall.EPIPE:
		return "connection closed"
	}
	return number.Error()
}

// ConnectionRefused reports whether err means that nothing listens at an address.
// Windows has its own error number for it.
func ConnectionRefused(err error) bool {
	const wsaECONNREFUSED = 10061
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && (number == syscall.ECONNREFUSED || runtime.GOOS == "windows" && number == wsaECONNREFUSED)
}

// httpExplanation returns the message for responses that are not HTTP. net/http has no
// types for them.
func httpExplanation(err error) string {
	text := err.Error()
	for _, e := range []struct{ of, text string }{
		{"malformed HTTP", "the answer is not HTTP"},
		{"server response headers exceeded", "the header of the answer is too large"},
		{"malformed MIME header", "the header of the answer cannot be read"},
		{"server closed idle connection", "the server closed the connection without an answer"},
		{"transport connection broken", "the answer cannot be read"},
		{"invalid URL port", "invalid port"},
	} {
		if strings.Contains(text, e.of) {
			return e.text
		}
	}
	if rest, ok := strings.CutPrefix(text, "net/http: "); ok {
		return fmt.Sprintf("HTTP: %s", rest)
	}
	return ""
}

// Reason removes the request's address from an error of net/http, because it may
// contain a credential, and applies Explain. If ctx is done it returns the cause of ctx
// instead.
func Reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*stageError](err); ok {
		err = e.err
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return &lookupError{e} // without the address of the name server
	}
	return Explain(err)
}

// A lookupError is a DNSError with a message for users.
type lookupError struct{ *net.DNSError }

func (e *lookupError) Error() string {
	if e.IsTimeout {
		return "the name server did not answer (" + e.Name + ")"
	}
	return e.Err + " (" + e.Name + ")"
}
func (e *lookupError) Unwrap() error { return e.DNSError }

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
