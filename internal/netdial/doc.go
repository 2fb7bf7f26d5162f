// Package netdial opens connections: it chooses addresses and proxies, dials, and makes
// the TLS handshake. It has the TLS settings of the flags, reports each stage, and has
// messages for users.
//
//	host:port ─ Network ─▶ net.Conn ─ Transport ─▶ net/http
//	               └ Report ─▶ stages
package netdial
