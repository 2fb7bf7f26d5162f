package netdial

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// A Network opens the connections for HTTP and WebSocket: it selects the address, the
// proxy and the TLS settings. The zero value dials directly. It must not be modified
// once it is in use.
//
//	host:port ─ ConnectTo ─┬─ Socket ────────────────────────────────┬─ TLS ─▶
//	                       ├─ Proxy ─▶ dial it ─ ProxyTLS ─ CONNECT ──┤
//	                       └─ Resolve ─▶ dial ───────────────────────┘
type Network struct {
	// TLS is for servers, ProxyTLS for proxies over TLS; nil means the defaults of
	// crypto/tls.
	TLS, ProxyTLS *tls.Config
	// Proxy returns the proxy for a host of the URL; nil, or a nil result, means none.
	Proxy func(secure bool, host, port string) (*Proxy, error)
	// ConnectTo returns another host and port to connect to; TLS and HTTP still use the
	// original one.
	ConnectTo func(host, port string) (string, string)
	// Resolve returns the addresses of a host; for an empty result the resolver is
	// used.
	Resolve func(host, port string) []string
	// Family is "tcp4" or "tcp6" to use only that, "" for both.
	Family string
	// Socket is the path of a Unix domain socket to dial instead.
	Socket string
	// Dial, if not nil, replaces all of this except TLS.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Report is called for each stage, done or failed, on the goroutines that dial. It
	// may be called after the request of the connection has ended.
	Report func(Report)
	// MaxHeader is the maximum size of the header of a response, in bytes.
	MaxHeader int64
	// HeaderNames has the spelling of header names, by their canonical form; others are
	// spelled as in their RFCs.
	HeaderNames map[string]string
}

// A Report is the result of one stage of opening a socket.
type Report struct {
	Stage   Stage
	Address string // without secrets
	Took    time.Duration
	// Peer is the address of the peer: after StageTCP.
	Peer net.Addr
	// Proxy is the kind of the proxy: for StageProxy.
	Proxy string
	// Addresses are the addresses of a name: after StageDNS.
	Addresses []string
	// TLS is the state of the connection: after StageTLS, also if the certificate was
	// not accepted, as far as known.
	TLS *tls.ConnectionState
	Err error
}

// Connect opens a connection, without TLS, to a server that speaks neither HTTP nor
// WebSocket. addr is HOST:PORT.
func (n *Network) Connect(ctx context.Context, addr string) (net.Conn, error) {
	return n.connect(ctx, false, addr)
}

// connect opens a connection to a server.
func (n *Network) connect(ctx context.Context, secure bool, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	conn, err := n.reach(ctx, secure, host, port)
	if err == nil && secure {
		begin(ctx, StageTLS)
		conn, err = n.encrypt(ctx, conn, n.TLS, host, StageTLS)
	}
	if err == nil {
		begin(ctx, StageUpgrade)
	}
	return conn, err
}

// reach opens the connection without TLS.
func (n *Network) reach(ctx context.Context, secure bool, host, port string) (net.Conn, error) {
	if n.Dial != nil {
		return metered(n.Dial(ctx, "tcp", net.JoinHostPort(host, port)))
	}
	if n.Socket != "" {
		var d net.Dialer
		start := time.Now()
		begin(ctx, StageTCP)
		conn, err := d.DialContext(ctx, "unix", n.Socket)
		n.report(Report{Stage: StageTCP, Address: n.Socket, Took: time.Since(start), Err: err})
		return metered(conn, err)
	}
	var proxy *Proxy
	if n.Proxy != nil {
		var err error
		if proxy, err = n.Proxy(secure, host, port); err != nil {
			return nil, &stageError{StageProxy, err}
		}
	}
	if n.ConnectTo != nil {
		host, port = n.ConnectTo(host, port)
	}
	if proxy != nil {
		return n.through(ctx, proxy, host, port)
	}
	return n.tcp(ctx, host, port)
}

// metered adds a meter to a connection, see wsconn.
func metered(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return wsconn.Metered(conn), nil
}

// tcp looks a host up and dials it.
func (n *Network) tcp(ctx context.Context, host, port string) (net.Conn, error) {
	family := "tcp"
	if n.Family != "" {
		family = n.Family
	}
	address := net.JoinHostPort(host, port)
	start := time.Now()
	begin(ctx, StageTCP)
	if n.Resolve != nil {
		if addresses := n.Resolve(host, port); len(addresses) > 0 {
			conn, err := dialOne(ctx, family, addresses, port)
			n.reportTCP(address, start, conn, err)
			return metered(conn, err)
		}
	}
	var found []string
	looked := start
	dctx := httptrace.WithClientTrace(context.WithoutCancel(ctx), &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { begin(ctx, StageDNS) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			begin(ctx, StageTCP)
			looked = time.Now()
			for _, a := range info.Addrs {
				found = append(found, a.String())
			}
		},
	})
	dctx, cancel := context.WithCancel(dctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	var d net.Dialer
	conn, err := d.DialContext(dctx, family, net.JoinHostPort(lookedUp(host), port))
	_, unknown := errors.AsType[*net.DNSError](err)
	if looked != start || unknown {
		r := Report{Stage: StageDNS, Address: host, Took: looked.Sub(start), Addresses: found}
		if unknown {
			r.Took, r.Err = time.Since(start), err
		}
		n.report(r)
	}
	if !unknown {
		n.reportTCP(address, looked, conn, err)
	}
	return metered(conn, err)
}

func (n *Network) reportTCP(address string, start time.Time, conn net.Conn, err error) {
	r := Report{Stage: StageTCP, Address: address, Took: time.Since(start), Err: err}
	if err == nil {
		r.Peer = conn.RemoteAddr()
	}
	n.report(r)
}

// dialOne dials one address after the other.
func dialOne(ctx context.Context, family string, addresses []string, port string) (net.Conn, error) {
	var d net.Dialer
	var first error
	for _, a := range addresses {
		conn, err := d.DialContext(ctx, family, net.JoinHostPort(strings.Trim(a, "[]"), port))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// encrypt makes the TLS handshake on conn, which it closes when that fails.
func (n *Network) encrypt(ctx context.Context, conn net.Conn, config *tls.Config, host string, stage Stage) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = strings.TrimSuffix(host, ".")
	}
	start := time.Now()
	tc := tls.Client(conn, config)
	err := tc.HandshakeContext(ctx)
	if stage == StageTLS {
		state := tc.ConnectionState()
		if ce, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			state.PeerCertificates = ce.UnverifiedCertificates
		}
		n.report(Report{Stage: stage, Address: host, Took: time.Since(start), TLS: &state, Err: err})
	}
	if err != nil {
		conn.Close()
		return nil, &stageError{stage, err}
	}
	return tc, nil
}

func (n *Network) report(r Report) {
	if n.Report != nil {
		n.Report(r)
	}
}
