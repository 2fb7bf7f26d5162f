package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output/destination"
)

// A session is one connection, which is not repaired once it is lost.
type session struct {
	conn   *nats.Conn
	stream jetstream.JetStream

	mu      sync.Mutex
	sockets []net.Conn
	waiting map[string]map[int]context.CancelCauseFunc // by subject
	next    int
	denied  error // answers cannot be received
}

// connect opens a connection. An error is one of those of Deliver.
func (d *Destination) connect(ctx context.Context) (*session, error) {
	limited, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, fmt.Errorf("no connection within %s", d.o.Timeout))
	defer cancel()
	s := &session{waiting: make(map[string]map[int]context.CancelCauseFunc)}
	dial := &dialer{ctx: limited, dial: d.o.Dial, session: s}
	defer context.AfterFunc(limited, s.abort)()
	o := nats.GetDefaultOptions()
	for _, server := range d.o.Servers {
		o.Servers = append(o.Servers, "nats://"+server)
	}
	o.Name = "hark"
	o.Timeout = 2 * d.o.Timeout // of its own, which says less; limited is first
	// The library would keep what is published while it reconnects, and send it after that,
	// when the Delivery has tried it again already.
	o.AllowReconnect = false
	// Credentials go to the servers that the user named, and to no others.
	o.IgnoreDiscoveredServers = true
	o.SkipHostLookup = true // a proxy looks names up
	o.CustomDialer = dial
	o.TLSConfig, o.Secure = d.o.TLS, d.o.Secure
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) { s.failed(err) }
	o.User, o.Password, o.Token = d.o.User, d.o.Password, d.o.Token
	if d.o.Credentials != nil {
		if err := nats.UserCredentialBytes(d.o.Credentials)(&o); err != nil {
			return nil, &destination.FatalError{Err: errors.New("the credentials are not valid")}
		}
	}
	conn, err := o.Connect()
	if err == nil {
		s.conn = conn
		s.stream, err = jetstream.New(conn)
	}
	if err == nil {
		return s, nil
	}
	if s.conn != nil {
		s.conn.Close()
	}
	s.abort()
	if limited.Err() != nil {
		return nil, &destination.TransientError{Err: context.Cause(limited)}
	}
	return nil, judgeConnection(err, dial.err)
}

// judgeConnection says what it means that there is no connection; dialed is the failure of
// the last dial, if it failed.
func judgeConnection(err, dialed error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrNkeysNotSupported):
		return &destination.FatalError{Err: errors.New("the server refused the credentials")}
	case errors.Is(err, nats.ErrSecureConnWanted):
		return &destination.FatalError{Err: errors.New("the server does not offer TLS")}
	case errors.Is(err, nats.ErrTLS):
		return &destination.TransientError{Err: netdial.Explain(err)}
	case dialed != nil:
		return &destination.TransientError{Err: netdial.Explain(dialed)}
	}
	return &destination.TransientError{Err: errors.New("the server closed the connection before it was ready")}
}

// disconnect gives the connection back.
func (d *Destination) disconnect() {
	if d.session == nil {
		return
	}
	d.session.abort() // first: the library waits for writes, for as long as they take
	d.session.conn.Close()
	d.session = nil
}

// abort closes the sockets.
func (s *session) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.sockets {
		c.Close()
	}
}

// watch has refuse called when the server does not permit the publication to a subject,
// until the function that it returns is called.
func (s *session) watch(subject string, refuse context.CancelCauseFunc) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied != nil {
		refuse(s.denied)
	}
	if s.waiting[subject] == nil {
		s.waiting[subject] = make(map[int]context.CancelCauseFunc)
	}
	s.next++
	n := s.next
	s.waiting[subject][n] = refuse
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.waiting[subject], n); len(s.waiting[subject]) == 0 {
			delete(s.waiting, subject)
		}
	}
}

// failed is told of errors that the server sends. Those about permissions name the subject,
// and no answer comes to the publication itself.
func (s *session) failed(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, after, publish := strings.Cut(err.Error(), `Publish to "`)
	subject, _, _ := strings.Cut(after, `"`)
	if !publish {
		s.denied = &destination.FatalError{Err: errors.New("no permission to subscribe to _INBOX.>, where acknowledgments arrive")}
		for _, all := range s.waiting {
			for _, refuse := range all {
				refuse(s.denied)
			}
		}
		return
	}
	for _, refuse := range s.waiting[subject] {
		refuse(&destination.RefusedError{Err: fmt.Errorf("no permission to publish to the subject %q", subject)})
	}
}

// A dialer opens the connections of the library, which has no context for that.
type dialer struct {
	ctx     context.Context
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	session *session
	err     error
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, addr string) (net.Conn, error) {
	conn, err := d.dial(d.ctx, network, addr)
	if d.err = err; err != nil {
		return nil, err
	}
	d.session.mu.Lock()
	defer d.session.mu.Unlock()
	d.session.sockets = append(d.session.sockets, conn)
	if d.ctx.Err() != nil {
		conn.Close()
	}
	return conn, nil
}
