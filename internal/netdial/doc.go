// Package netdial opens connections: through proxies, over TLS, to the addresses that
// the user chose.
package netdial
