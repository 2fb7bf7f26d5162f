// Package freeport finds free ports for servers in tests that require a fixed port.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// The system does not use these for port 0 or as the local port of a connection: those
// begin at 32768 on Linux, and at 49152 on macOS, Windows and FreeBSD. So only a server
// with a fixed port can take one between Find and its use.
const first, last = 20000, 32000

// Find returns the address of a free port of 127.0.0.1.
func Find() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port was found in a hundred tries")
}
