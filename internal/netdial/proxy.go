package netdial

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Proxy is a proxy for connections.
type Proxy struct {
	// Kind is "http", "https" (over TLS), "socks5" (hark resolves names) or "socks5h"
	// (the proxy does).
	Kind       string
	Host, Port string
	// User and Password are its credentials; none if User is "".
	User, Password string
}

// Address is the proxy without its credentials.
func (p *Proxy) Address() string { return p.Kind + "://" + net.JoinHostPort(p.Host, p.Port) }

// A ProxyError reports that a proxy did not connect.
type ProxyError struct {
	Address string // without secrets
	// Status is the HTTP status of its response, 0 if there was none.
	Status int
	// Refused: it did not accept the credentials, or requires some.
	Refused bool
	// Sent: credentials were sent. Offers are the authentication schemes of the proxy,
	// in its spelling, or nil.
	Sent   bool
	Offers []string
	Err    error
}

func (e *ProxyError) Error() string {
	if e.Err != nil {
		return Explain(e.Err).Error()
	}
	text := fmt.Sprintf("HTTP %03d %s", e.Status, http.StatusText(e.Status))
	if len(e.Offers) > 0 {
		text += " (it offers " + strings.Join(e.Offers, ", ") + ")"
	}
	return strings.TrimSpace(text)
}

func (e *ProxyError) Unwrap() error { return e.Err }

// through connects to host and port through p. Unencrypted WebSockets are tunneled too
// (RFC 6455, section 4.1).
func (n *Network) through(ctx context.Context, p *Proxy, host, port string) (net.Conn, error) {
	// --connect-to does not apply to the proxy's own address; --resolve does.
	ctx = context.WithValue(ctx, viaKey{}, p.Address())
	conn, err := n.tcp(ctx, p.Host, p.Port)
	if err != nil {
		return nil, &stageError{StageProxy, &ProxyError{Address: p.Address(), Err: Reason(ctx, err)}}
	}
	start := time.Now()
	begin(ctx, StageProxy)
	if p.Kind == "https" {
		if conn, err = n.encrypt(ctx, conn, n.ProxyTLS, p.Host, StageProxy); err != nil {
			err = &ProxyError{Address: p.Address(), Err: err}
			n.report(Report{Stage: StageProxy, Address: p.Address(), Proxy: p.Kind, Took: time.Since(start), Err: err})
			return nil, &stageError{StageProxy, err}
		}
	}
	ended := context.AfterFunc(ctx, func() { conn.Close() })
	tunnel := conn
	switch p.Kind {
	case "socks5", "socks5h":
		err = n.socks(ctx, conn, p, host, port)
	default:
		tunnel, err = connectThrough(conn, p, net.JoinHostPort(host, port), n.MaxHeader)
	}
	if !ended() && err == nil {
		err = ctx.Err()
	}
	n.report(Report{Stage: StageProxy, Address: p.Address(), Proxy: p.Kind, Took: time.Since(start), Err: err})
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if _, ok := errors.AsType[*ProxyError](err); !ok {
			err = &ProxyError{Address: p.Address(), Err: err}
		}
		return nil, &stageError{StageProxy, err}
	}
	return tunnel, nil
}

// connectThrough requests a tunnel from an HTTP proxy (RFC 9110, section 9.3.6).
func connectThrough(conn net.Conn, p *Proxy, address string, maxHeader int64) (net.Conn, error) {
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if p.User != "" {
		request += "Proxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, err
	}
	if maxHeader == 0 {
		maxHeader = 256 << 10
	}
	// An oversized header ends with an unexpected EOF; data of the server after the
	// response stays in the buffer.
	limit := &io.LimitedReader{R: conn, N: maxHeader}
	br := bufio.NewReader(limit)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	for err == nil && resp.StatusCode >= 100 && resp.StatusCode < 200 { // interim (RFC 9110, section 15.2)
		resp, err = http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	}
	if err != nil {
		if limit.N <= 0 {
			return nil, errors.New("the header of its answer is too large")
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it closed the connection without an answer")
		} else if strings.Contains(err.Error(), "malformed") {
			err = errors.New("its answer is not HTTP")
		}
		return nil, err
	}
	switch status := resp.StatusCode; {
	case status < 100:
		return nil, fmt.Errorf("its answer has the status %03d, which is not one of HTTP", status)
	case status/100 != 2:
		return nil, &ProxyError{
			Address: p.Address(), Status: status, Refused: status == http.StatusProxyAuthRequired,
			Sent: p.User != "", Offers: AuthSchemes(resp.Header.Values("Proxy-Authenticate")),
		}
	}
	if br.Buffered() > 0 {
		rest, _ := br.Peek(br.Buffered())
		return &aheadConn{Conn: conn, ahead: rest}, nil
	}
	return conn, nil
}

// AuthSchemes returns the names of the authentication schemes in the values of a header
// such as Proxy-Authenticate (RFC 9110, section 11.3), in order, without duplicates.
func AuthSchemes(values []string) []string {
	var schemes []string
	for part := range strings.SplitSeq(withoutQuotes(strings.Join(values, ",")), ",") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		known := slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
		if !known && schemeName().MatchString(scheme) && len(schemes) < mostSchemes {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// mostSchemes is the maximum number of schemes that are returned.
const mostSchemes = 8

// schemeName matches the name of a scheme; a parameter has an equals sign. It is
// compiled on first use, because that costs more than the rest of the package at the
// start.
var schemeName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,30}$`) })

// withoutQuotes removes the quoted strings from the value of a header.
func withoutQuotes(value string) string {
	quoted, escaped := false, false
	return strings.Map(func(r rune) rune {
		switch inside := quoted; {
		case escaped:
			escaped = false
			return -1
		case inside && r == '\\':
			escaped = true
			return -1
		case r == '"':
			quoted = !quoted
			return -1
		case inside:
			return -1
		}
		return r
	}, value)
}

// An aheadConn is a connection from which data has been read already.
type aheadConn struct {
	net.Conn
	ahead []byte
}

// NetConn returns the underlying connection.
func (c *aheadConn) NetConn() net.Conn { return c.Conn }

// Read implements io.Reader.
func (c *aheadConn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
