// Package network has the flags about how a connection is opened: addresses, headers,
// proxies and TLS, for the stream as well as for a destination of its events.
package network
