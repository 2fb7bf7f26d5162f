package ending

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/internal/replay"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// Exit codes. Scripts depend on them; the README and "hark help exit-codes" have the
// same table.
const (
	OK          = 0
	Internal    = 1  // internal error, or output could not be written
	Usage       = 2  // flag, argument, jq expression
	Unreachable = 3  // no connection: dns, tcp, proxy, tls, or a response that is not an upgrade
	Assertion   = 4  // an assertion failed
	Credentials = 5  // credentials refused
	Refused     = 6  // the service refused the request, or broke the protocol
	TimedOut    = 7  // a time limit passed before everything expected had happened
	Lost        = 8  // connection lost, and retries are off or exhausted
	Missed      = 9  // events were lost, and --on-gap or --overflow is fail
	Undelivered = 10 // events could not be delivered to the destination of --to
)

// ErrMaxTime ends a stream at --max-time.
var ErrMaxTime = errors.New("time limit of --max-time reached")

// A hintError is an error with a hint.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// WithHint adds a hint to err, unless the hint is "" or err has one already.
func WithHint(err error, hint string) error {
	if err == nil || hint == "" || hintOf(err) != "" {
		return err
	}
	return &hintError{err, hint}
}

func hintOf(err error) string {
	if e, ok := errors.AsType[*hintError](err); ok {
		return e.hint
	}
	return ""
}

// An Ending is how a command ended, for the printer, the journal, the report and the
// recording.
type Ending struct {
	Err    error
	Code   int
	Silent bool // it is not printed
	// Text is the error message, which may contain line feeds from outside; Below are
	// further lines of hark. Both are empty for a normal end.
	Text  string
	Below []string
	Hint  string // what to do about it
	// Condition returns the condition that ended a stream, "" for a failure.
	Condition string
}

// Of returns the Ending of an error.
func Of(err error) Ending {
	e := Ending{Err: err, Condition: Condition(err)}
	e.Code, e.Silent = exitCode(err)
	if err != nil {
		e.Text, e.Below = Message(err)
		e.Hint = Hint(err)
	}
	return e
}

// Record returns the text for records and reports: one line without control characters,
// and the lines below.
func (e Ending) Record() string {
	return strings.Join(append([]string{console.Line(e.Text)}, e.Below...), "\n")
}

// Message returns the message of an error, which may contain line feeds from outside,
// and further lines of hark.
func Message(err error) (text string, below []string) {
	if e, ok := errors.AsType[linesError](err); ok {
		return e.Lines()
	}
	if e, ok := errors.AsType[*proto.InternalError](err); ok {
		return e.Error(), strings.Split(strings.TrimSpace(string(e.Stack)), "\n")
	}
	if e, ok := errors.AsType[*jq.Error](err); ok && e.Caret() != "" {
		below = strings.Split(e.Caret(), "\n")
	}
	return err.Error(), below
}

// exitCode maps an error to the exit code; silent errors are not printed.
func exitCode(err error) (code int, silent bool) {
	c, coded := errors.AsType[codedError](err)
	if w, ok := errors.AsType[*prompt.WaitError](err); ok {
		if code, silent := exitCode(w.Err); code != OK {
			return code, silent
		}
		return Assertion, false
	}
	switch {
	case coded:
		return c.Exit(), false
	case err == nil, errors.Is(err, output.ErrStdoutClosed), Is[output.Ended](err):
		return OK, true
	case Is[*cmdline.UsageError](err), Is[*jq.Error](err):
		return Usage, false
	case Is[*CommandExit](err):
		e, _ := errors.AsType[*CommandExit](err)
		return e.Code, true
	case Is[*output.WriteError](err):
		return Internal, false
	case Is[*destination.NotDeliveredError](err):
		return Undelivered, false
	case Is[*proto.OverflowError](err):
		return Missed, false
	case Is[*output.Failed](err), Is[*replay.Deviation](err):
		return Assertion, false
	}
	if s, ok := errors.AsType[*process.SignalError](err); ok {
		return s.ExitCode(), !Is[*proto.UnwrittenError](err)
	}
	switch {
	case Is[*proto.UnwrittenError](err):
		return Internal, false
	case errors.Is(err, ErrMaxTime), errors.Is(err, proto.ErrIdle), errors.Is(err, ErrLinger), errors.Is(err, ErrHold), errors.Is(err, prompt.ErrQuit), errors.Is(err, proto.ErrRecordingEnd):
		return OK, true
	}
	if f, ok := errors.AsType[*proto.Failure](err); ok {
		return FailureCode(f), false
	}
	return Internal, false
}

// FailureCode returns the exit code for a failure of the engine.
func FailureCode(f *proto.Failure) int {
	switch f.Class {
	case proto.Credentials:
		return Credentials
	case proto.Refused:
		return Refused
	case proto.TimedOut:
		return TimedOut
	case proto.Unreachable:
		return Unreachable
	}
	if f.Connected {
		return Lost
	}
	return Unreachable
}

// Hint returns the hint for failures common to all services.
func Hint(err error) string {
	if h := hintOf(err); h != "" {
		return h
	}
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok {
		return u.Hint()
	}
	if Is[*proto.OverflowError](err) {
		return "--buffer sets how much may wait; --overflow drop-oldest drops events instead"
	}
	if Is[*proto.TooBigError](err) {
		return "--max-message-size sets the limit, for example --max-message-size 256MiB"
	}
	if Is[*jq.TimeoutError](err) {
		return "--jq-timeout sets how long an expression may take for one event, 0 for no limit"
	}
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok {
		return handshakeHint(h)
	}
	if Is[*proto.LostError](err) || Is[*proto.CloseError](err) {
		if f, ok := errors.AsType[*proto.Failure](err); ok && f.Retries > 0 {
			return "--retries and --retry-window set how often hark tries again"
		}
	}
	if c, ok := errors.AsType[*proto.CloseError](err); ok {
		return closeHint(c.Code)
	}
	return ""
}

// closeHint returns the hint for a status of a close frame (RFC 6455, section 7.4.1).
func closeHint(code int) string {
	switch code {
	case frame.StatusProtocol:
		return "the server considers what was sent a violation of its protocol: check that, and --subprotocol"
	case frame.StatusUnsupported:
		return "the server does not take data of this kind, text or binary"
	case frame.StatusInvalid:
		return "the server cannot read the content of what was sent"
	case frame.StatusPolicy:
		return "the server does not allow it: check the credentials, --origin, and what was sent"
	case frame.StatusTooBig:
		return "what was sent is too large for the server"
	}
	return ""
}

func handshakeHint(h *proto.HandshakeError) string {
	switch {
	case Is[*proto.ConnectTimeoutError](h.Err):
		return "--connect-timeout sets how long hark waits"
	case h.Stage != netdial.StageProxy && (h.Status == 401 || h.Status == 403):
		if len(h.Challenge) > 0 {
			return "check the credentials; the server takes " + strings.Join(h.Challenge, ", ")
		}
		return "check the credentials"
	case h.Stage == netdial.StageProxy:
		return proxyHint(h)
	case h.Status == 407:
		return "a proxy that answered instead of the server requires credentials: --proxy URL and --proxy-user USER:PASSWORD"
	case h.Status >= 300 && h.Status < 400:
		if h.Err != nil {
			return "use the address that it leads to"
		}
		return "-L follows redirects"
	case h.Status >= 200 && h.Status < 300:
		return "this address serves an ordinary page, not a WebSocket: check its path"
	case statusHints()[h.Status] != "":
		return statusHints()[h.Status]
	case h.Status != 0 && h.Status < 500:
		return "check the path of the address"
	case h.Status >= 500:
		return "the server, or a gateway in front of it, failed; try again later"
	case h.Stage == netdial.StageDNS:
		return "check the host name"
	case h.Stage == netdial.StageTCP && netdial.ConnectionRefused(h.Err):
		return "nothing listens at that address: check host and port, and that the server runs"
	case h.Stage == netdial.StageTCP && Is[*net.AddrError](h.Err):
		return "the host has no address of the kind that -4 or -6 asks for"
	case h.Stage == netdial.StageTCP:
		return "check host and port, and the way to the network: a firewall, a VPN, or --proxy"
	case h.Stage == netdial.StageTLS:
		return "the server's certificate was not accepted, or it does not speak TLS on this port"
	case errors.Is(h.Err, io.EOF):
		return "the server closed the connection without an answer; does it speak TLS (wss://)?"
	}
	return ""
}

// statusHints are the hints for particular HTTP statuses (RFC 9110, section 15).
func statusHints() map[int]string {
	return map[int]string{
		400: "the server did not understand the handshake: check the path, --subprotocol and the headers; a TLS port needs wss://",
		402: "the service requires payment: check the account",
		405: "the address takes no GET, and so no WebSocket: check the path",
		408: "the server waited too long for the request; try again",
		410: "what was at this address is gone for good; ask its operator for the new one",
		421: "the server does not serve this host name: check it, --connect-to and --resolve",
		426: "the server asks for another protocol at this address: check the path, --subprotocol, and whether it speaks WebSocket version 13",
		429: "the server has had too many requests from here: wait before you try again",
		431: "the headers are too large for the server: send less with -H, or a shorter token",
		451: "the server may not serve this for legal reasons",
		502: "the gateway in front of the server cannot reach it; try again later",
		503: "the server is overloaded or under maintenance; try again later",
		504: "the gateway in front of the server got no answer from it; try again later",
	}
}

func proxyHint(h *proto.HandshakeError) string {
	switch p, ok := errors.AsType[*netdial.ProxyError](h.Err); {
	case ok && p.Refused:
		return proxyRefusedHint(p)
	case h.Status == 403:
		return "the proxy does not allow this host or port; ask its operator"
	case h.Status != 0:
		return "the proxy did not reach the server; see whether its address is right from there"
	case Is[x509.UnknownAuthorityError](h.Err):
		return "--proxy-cacert FILE trusts the authority that signed the certificate of the proxy; --proxy-insecure does not check it"
	case Is[*tls.CertificateVerificationError](h.Err):
		return "it is the certificate of the proxy; its operator has to renew or correct it; --proxy-insecure does not check it"
	case Is[tls.RecordHeaderError](h.Err):
		return "the proxy does not speak TLS on this port: -x http://HOST:PORT"
	}
	return "check --proxy, or the variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY; NO_PROXY lists hosts to reach directly"
}

// proxyRefusedHint returns the hint for a proxy that did not accept the credentials, or
// requires some.
func proxyRefusedHint(p *netdial.ProxyError) string {
	basic := slices.ContainsFunc(p.Offers, func(s string) bool { return strings.EqualFold(s, "Basic") })
	switch {
	case len(p.Offers) > 0 && !basic:
		return "hark authenticates to a proxy with Basic only; a proxy of this machine that speaks " +
			strings.Join(p.Offers, " or ") + " can do it for hark: --proxy http://localhost:PORT"
	case p.Sent:
		return "the proxy did not accept the credentials that were sent: check --proxy-user, or USER:PASSWORD in the address of the proxy"
	}
	return "the proxy requires credentials: --proxy-user USER:PASSWORD"
}

// Is reports whether an error of type E is in the chain of err.
func Is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
