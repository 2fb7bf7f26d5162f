// Package freeport finds ports for servers in tests that want to be told theirs.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// The system takes none of these for port 0 or for the near end of a connection: those
// come from 32768 on with Linux, from 49152 on with macOS, Windows and FreeBSD. So
// nothing takes one between Find and its use but another server that was told so.
const first, last = 20000, 32000

// Find returns the address of a port of 127.0.0.1 on which nothing listens.
func Find() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port was found in a hundred tries")
}
