package netdial

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
)

// SOCKS version 5 (RFC 1928) with user names and passwords (RFC 1929), as far as a
// client needs it for CONNECT.
const (
	socksVersion     = 5
	socksNoAuth      = 0
	socksPassword    = 2
	socksNoMethod    = 0xFF
	socksConnect     = 1
	socksIPv4        = 1
	socksName        = 3
	socksIPv6        = 4
	socksAuthVersion = 1
)

// socksReplies are the texts of the reply codes (RFC 1928, section 6).
var socksReplies = [...]string{
	1: "general failure of the SOCKS server",
	2: "connection not allowed by its rules",
	3: "network unreachable",
	4: "host unreachable",
	5: "connection refused",
	6: "time to live expired",
	7: "command not supported",
	8: "address type not supported",
}

// socks requests a connection from a SOCKS proxy.
func (n *Network) socks(ctx context.Context, conn net.Conn, p *Proxy, host, port string) error {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("port %q: %w", port, errors.Unwrap(err))
	}
	destination, err := n.socksDestination(ctx, p, host, port)
	if err != nil {
		return err
	}
	if err := socksAuthenticate(conn, p); err != nil {
		return err
	}
	request := append([]byte{socksVersion, socksConnect, 0}, destination...)
	if _, err := conn.Write(binary.BigEndian.AppendUint16(request, uint16(number))); err != nil {
		return err
	}
	return socksReply(conn)
}

// socksAuthenticate negotiates a method and sends the credentials.
func socksAuthenticate(rw io.ReadWriter, p *Proxy) error {
	hello := []byte{socksVersion, 1, socksNoAuth}
	if p.User != "" {
		if len(p.User) > 255 || len(p.Password) > 255 || p.Password == "" {
			return errors.New("SOCKS takes a user name and a password of up to 255 bytes")
		}
		hello = []byte{socksVersion, 2, socksNoAuth, socksPassword}
	}
	if _, err := rw.Write(hello); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(rw, answer[:]); err != nil {
		return socksEnd(err)
	}
	switch {
	case answer[0] != socksVersion:
		return errors.New("it does not speak SOCKS 5")
	case answer[1] == socksNoAuth:
		return nil
	case answer[1] == socksNoMethod, answer[1] != socksPassword || p.User == "":
		err := errors.New("it requires a user name and a password")
		if p.User != "" {
			err = errors.New("it accepts neither a connection without credentials nor a user name and a password")
		}
		return &ProxyError{Address: p.Address(), Refused: true, Sent: p.User != "", Err: err}
	}
	request := []byte{socksAuthVersion, byte(len(p.User))}
	request = append(request, p.User...)
	request = append(request, byte(len(p.Password)))
	request = append(request, p.Password...)
	if _, err := rw.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(rw, answer[:]); err != nil {
		return socksEnd(err)
	}
	if answer[1] != 0 {
		return &ProxyError{Address: p.Address(), Refused: true, Sent: true, Err: errors.New("it refused the user name or the password")}
	}
	return nil
}

// socksDestination encodes the destination: an address, or a name that the proxy
// resolves.
func (n *Network) socksDestination(ctx context.Context, p *Proxy, host, port string) ([]byte, error) {
	if n.Resolve != nil {
		if a := n.Resolve(host, port); len(a) > 0 {
			host = a[0]
		}
	}
	if _, err := netip.ParseAddr(host); err != nil && p.Kind == "socks5" {
		network := "ip"
		switch n.Family {
		case "tcp4":
			network = "ip4"
		case "tcp6":
			network = "ip6"
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
		if err != nil {
			return nil, err
		}
		host = addresses[0].Unmap().String()
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a = a.Unmap(); a.Is4() {
			return append([]byte{socksIPv4}, a.AsSlice()...), nil
		}
		return append([]byte{socksIPv6}, a.WithZone("").AsSlice()...), nil
	}
	if len(host) > 255 {
		return nil, errors.New("the host name is too long for SOCKS")
	}
	return append([]byte{socksName, byte(len(host))}, host...), nil
}

// socksReply reads the reply to a request and the address in it.
func socksReply(r io.Reader) error {
	var head [5]byte // to the first byte of the address
	// A refusal may end after its code, contrary to RFC 1928.
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return socksEnd(err)
	}
	if head[0] != socksVersion {
		return errors.New("it does not speak SOCKS 5")
	}
	if code := head[1]; code != 0 {
		if int(code) < len(socksReplies) {
			return errors.New(socksReplies[code])
		}
		return fmt.Errorf("SOCKS error %d", code)
	}
	if _, err := io.ReadFull(r, head[2:]); err != nil {
		return socksEnd(err)
	}
	rest := 2 // the port
	switch head[3] {
	case socksIPv4:
		rest += 4 - 1
	case socksIPv6:
		rest += 16 - 1
	case socksName:
		rest += int(head[4])
	default:
		return errors.New("its answer carries an address of an unknown type")
	}
	if _, err := io.CopyN(io.Discard, r, int64(rest)); err != nil {
		return socksEnd(err)
	}
	return nil
}

func socksEnd(err error) error {
	switch err {
	case io.EOF:
		return errors.New("it closed the connection without an answer")
	case io.ErrUnexpectedEOF:
		return errors.New("it closed the connection in the middle of its answer")
	}
	return err
}
