package netdial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// A Stage is a step on the way to an open socket.
type Stage string

// The stages of the network, in their order. Services have stages of their own besides.
const (
	StageDNS     Stage = "dns"
	StageTCP     Stage = "tcp"
	StageProxy   Stage = "proxy"
	StageTLS     Stage = "tls"
	StageUpgrade Stage = "upgrade" // the opening handshake of RFC 6455, section 4
)

// A stageError says how far a connection had come when it failed.
type stageError struct {
	stage Stage
	err   error
}

func (e *stageError) Error() string { return e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// progress is how far an attempt has come, for when it is cut short.
type progress struct{ at atomic.Pointer[milestone] }

type progressKey struct{}

// A milestone is a stage that has begun. address is that of the proxy, for what
// goes on between us and it, and empty otherwise.
type milestone struct {
	stage   Stage
	address string
}

// viaKey is the key of the address of the proxy that a context connects to.
type viaKey struct{}

// begin says that a stage of the attempt that ctx belongs to has begun.
func begin(ctx context.Context, stage Stage) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		m := &milestone{stage: stage}
		if via, ok := ctx.Value(viaKey{}).(string); ok {
			m.stage, m.address = StageProxy, via
		}
		p.at.Store(m)
	}
}

// Track returns a context for one attempt to connect, which Reached can be asked about.
func Track(ctx context.Context) context.Context {
	return context.WithValue(ctx, progressKey{}, &progress{})
}

// Reached returns the stage that the attempt of a context from Track has come to, and
// the address of the proxy when it is one with a proxy, "" otherwise.
func Reached(ctx context.Context) (stage Stage, proxy string) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		if m := p.at.Load(); m != nil {
			return m.stage, m.address
		}
	}
	return StageUpgrade, ""
}

// StageOf returns how far an attempt had come that failed with err, as far as err says
// it: an error of a Network, or of net/http.
func StageOf(err error) Stage {
	if e, ok := errors.AsType[*stageError](err); ok {
		return e.stage
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return StageDNS
	}
	for _, is := range []func(error) bool{
		is[*tls.CertificateVerificationError], is[tls.RecordHeaderError], is[tls.AlertError],
		is[x509.UnknownAuthorityError], is[x509.HostnameError], is[x509.CertificateInvalidError],
	} {
		if is(err) {
			return StageTLS
		}
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return StageTLS // an answer in the clear
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		switch e.Op {
		case "dial":
			return StageTCP
		case "proxyconnect", "socks connect":
			return StageProxy
		case "remote error", "local error":
			return StageTLS
		}
	}
	return StageUpgrade
}
