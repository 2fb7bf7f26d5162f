// Package netdial opens connections: it chooses addresses and proxies, dials, and makes
// the TLS handshake. It has the TLS settings behind the flags as far as they are not
// flags, reports each stage on the way, and says in the words of a user what went wrong.
//
//	host:port ─ Network ─▶ net.Conn ─ Transport ─▶ net/http
//	               └ Report ─▶ stages
package netdial
