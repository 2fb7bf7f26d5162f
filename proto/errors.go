package proto

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// The stages of a service's own requests, which precede those of the network.
const (
	StageSession netdial.Stage = "session" // the service's own request before the upgrade
	StageToken   netdial.Stage = "token"   // getting a credential
)

// A HandshakeError reports a failure to open a socket.
type HandshakeError struct {
	Stage   netdial.Stage
	Address string // without secrets
	// Status is the HTTP status of the response, 0 if there was none.
	Status int
	// Body is the start of the body of the response, for messages.
	Body string
	// Challenge lists the authentication schemes that the server offers with a 401
	// (WWW-Authenticate, RFC 9110, section 11.6.1).
	Challenge []string
	// RetryAfter is the wait that the server requested, 0 for none.
	RetryAfter time.Duration
	// Err is the cause if there was no response, or an invalid one.
	Err error
}

func (e *HandshakeError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", e.Stage, e.Address)
	switch {
	case is[*netdial.ProxyError](e.Err): // which names the status
		fmt.Fprintf(&b, "%v", e.Err)
	case e.Status == 0 && e.Err == nil:
		b.WriteString("HTTP 000, which is not a status of HTTP")
	case e.Status != 0:
		fmt.Fprintf(&b, "HTTP %d", e.Status)
		if t := http.StatusText(e.Status); t != "" {
			b.WriteString(" " + t)
		}
		if e.Body != "" {
			fmt.Fprintf(&b, ": %s", e.Body)
		}
		if e.Err != nil {
			fmt.Fprintf(&b, ": %v", e.Err)
		}
	default:
		fmt.Fprintf(&b, "%v", e.Err)
	}
	return b.String()
}

func (e *HandshakeError) Unwrap() error { return e.Err }

// A CloseError reports a close frame from the peer (RFC 6455, section 7.4). Code is
// frame.StatusNone if the frame had none.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	switch {
	case e.Code == frame.StatusNone:
		return "server closed the connection without a status"
	case e.Reason == "":
		return fmt.Sprintf("server closed the connection with status %d", e.Code)
	}
	return fmt.Sprintf("server closed the connection with status %d: %s", e.Code, e.Reason)
}

// normal reports whether the peer closed the connection normally.
func (e *CloseError) normal() bool {
	return e.Code == frame.StatusNormal || e.Code == frame.StatusNone
}

// A LostError reports a connection that was closed without a close frame.
type LostError struct{ Err error }

func (e *LostError) Error() string { return fmt.Sprintf("connection lost: %v", netdial.Explain(e.Err)) }
func (e *LostError) Unwrap() error { return e.Err }

// A TooBigError reports a message beyond the size limit, in bytes.
type TooBigError struct{ Limit int64 }

func (e *TooBigError) Error() string {
	return fmt.Sprintf("message larger than the limit of %d bytes", e.Limit)
}

// A ProtocolError reports a violation of RFC 6455 or of the protocol of the service by
// the peer.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return fmt.Sprintf("protocol error: %v", e.Err) }
func (e *ProtocolError) Unwrap() error { return e.Err }

// A RefusedError reports a request that the service has refused.
type RefusedError struct {
	Request string // the request, as users know it
	Status  int    // the service's own status, 0 for none
	Reasons []string
}

func (e *RefusedError) Error() string {
	s := e.Request + " refused"
	if e.Status != 0 {
		s += " with status " + strconv.Itoa(e.Status)
	}
	if len(e.Reasons) > 0 {
		s += ": " + strings.Join(e.Reasons, "; ")
	}
	return s
}

// A TimeoutError reports that something did not arrive in time.
type TimeoutError struct {
	What  string
	Limit time.Duration
}

func (e *TimeoutError) Error() string { return fmt.Sprintf("no %s within %s", e.What, e.Limit) }

// ErrIdle ends a run in which no event arrived for Options.Idle.
var ErrIdle = errors.New("no event for the idle time")

// An UnwrittenError ends a run whose sink had not written all events within the time
// limit.
type UnwrittenError struct {
	Events int   // at least
	Err    error // why the run ended
}

func (e *UnwrittenError) Error() string {
	return were(e.Events) + " received but not written, because the reader of the output is blocked"
}

// were returns "1 event was" or "2 events were".
func were(n int) string {
	if n == 1 {
		return "1 event was"
	}
	return fmt.Sprintf("%d events were", n)
}

func (e *UnwrittenError) Unwrap() error { return e.Err }

// An OverflowError ends a run whose sink was too slow for the buffer, with
// OverflowFail.
type OverflowError struct {
	Limit  int // of the buffer, in bytes
	Events int // at least, that were received and not given to the sink
}

func (e *OverflowError) Error() string {
	return fmt.Sprintf("the buffer of %d bytes is full, because the reader of the output is too slow; %s lost", e.Limit, were(e.Events))
}

// An InternalError reports a panic, which Run returns as an error so that the program
// can clean up.
type InternalError struct {
	Value any
	Stack []byte
}

func (e *InternalError) Error() string {
	return fmt.Sprintf("internal error: %v\n%s", e.Value, e.Stack)
}

// endError returns the error for the end of a connection.
func endError(e wsconn.End) error {
	switch e.Kind {
	case wsconn.Closed:
		return &CloseError{Code: e.Code, Reason: e.Reason}
	case wsconn.Violated:
		return &ProtocolError{e.Err}
	case wsconn.TooBig:
		return &TooBigError{e.Limit}
	case wsconn.Panicked:
		p, _ := errors.AsType[*wsconn.PanicError](e.Err)
		return &InternalError{Value: p.Value, Stack: p.Stack}
	}
	return &LostError{e.Err}
}

// rescue stores a panic of the calling goroutine in err. It must be deferred.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = &InternalError{Value: r, Stack: debug.Stack()}
	}
}

// A Failure is the error of Run when it gives up: the last error, and its class.
type Failure struct {
	Class Class
	// Connected: a socket had been open at least once.
	Connected bool
	// Retries is the number of retries in the window.
	Retries int
	Err     error
}

func (e *Failure) Error() string {
	if e.Retries > 0 && e.Class == Transient {
		if e.Retries == 1 {
			return fmt.Sprintf("%v (gave up after 1 retry)", e.Err)
		}
		return fmt.Sprintf("%v (gave up after %d retries)", e.Err, e.Retries)
	}
	return e.Err.Error()
}

func (e *Failure) Unwrap() error { return e.Err }

// classify returns the class of a failure by general rules, which a Classifier may
// override.
func classify(err error, connected bool) Class {
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		return classifyHandshake(e, connected)
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		switch e.Code {
		case frame.StatusProtocol, frame.StatusUnsupported, frame.StatusInvalid, frame.StatusPolicy, frame.StatusTooBig:
			return Refused
		}
		return Transient
	}
	if _, ok := errors.AsType[*TimeoutError](err); ok {
		return TimedOut
	}
	if _, ok := errors.AsType[*RefusedError](err); ok {
		return Refused
	}
	if _, ok := errors.AsType[*TooBigError](err); ok {
		return Refused
	}
	if _, ok := errors.AsType[*ProtocolError](err); ok {
		return Refused
	}
	return Transient
}

func classifyHandshake(e *HandshakeError, connected bool) Class {
	if p, ok := errors.AsType[*netdial.ProxyError](e.Err); ok && p.Refused {
		return Credentials
	}
	switch s := e.Status; {
	case s == 0:
		if connected {
			return Transient // it has worked before, so a retry may succeed
		}
		if e.Stage == netdial.StageTLS || e.Stage == StageToken || permanent(e.Err) {
			return Unreachable
		}
		return Transient
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired:
		return Credentials
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		return Transient
	}
	return Unreachable
}

// permanent reports whether a retry would fail with the same error.
func permanent(err error) bool {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.IsNotFound
	}
	_, addr := errors.AsType[*net.AddrError](err)
	_, proto := errors.AsType[*ProtocolError](err)
	return addr || proto
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// A ConnectTimeoutError reports an attempt that took longer than
// Options.ConnectTimeout.
type ConnectTimeoutError struct{ Limit time.Duration }

func (e *ConnectTimeoutError) Error() string { return fmt.Sprintf("no connection within %s", e.Limit) }

// retryAfter parses a Retry-After header: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 || errors.Is(err, strconv.ErrRange) && n > 0 {
		return time.Duration(min(n, int64(math.MaxInt64/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// Excerpt returns the start of an HTTP body on one line, for an error message.
func Excerpt(b []byte) string {
	const limit = 200
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "�")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
