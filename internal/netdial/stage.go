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

// A Stage is a stage of opening a socket.
type Stage string

// The stages of the network, in order. Services have further stages.
const (
	StageDNS     Stage = "dns"
	StageTCP     Stage = "tcp"
	StageProxy   Stage = "proxy"
	StageTLS     Stage = "tls"
	StageUpgrade Stage = "upgrade" // the opening handshake of RFC 6455, section 4
)

// A stageError has the stage at which a connection failed.
type stageError struct {
	stage Stage
	err   error
}

func (e *stageError) Error() string { return e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// progress is the stage of an attempt, in case it is interrupted.
type progress struct{ at atomic.Pointer[milestone] }

type progressKey struct{}

// A milestone is a stage that has begun. address is that of the proxy for a stage with
// a proxy, and "" otherwise.
type milestone struct {
	stage   Stage
	address string
}

// viaKey is the key of the address of the proxy that a context connects to.
type viaKey struct{}

// begin records that a stage of the attempt of ctx has begun.
func begin(ctx context.Context, stage Stage) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		m := &milestone{stage: stage}
		if via, ok := ctx.Value(viaKey{}).(string); ok {
			m.stage, m.address = StageProxy, via
		}
		p.at.Store(m)
	}
}

// Track returns a context for one connection attempt, for use with Reached.
func Track(ctx context.Context) context.Context {
	return context.WithValue(ctx, progressKey{}, &progress{})
}

// Reached returns the current stage of the attempt of a context from Track, and the
// address of the proxy for a stage with a proxy, "" otherwise.
func Reached(ctx context.Context) (stage Stage, proxy string) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		if m := p.at.Load(); m != nil {
			return m.stage, m.address
		}
	}
	return StageUpgrade, ""
}

// StageOf returns the stage at which an attempt failed with err, an error of a Network
// or of net/http, if known.
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
		return StageTLS // an unencrypted response
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
