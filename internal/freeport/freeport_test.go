package freeport

import (
	"net"
	"testing"
)

func TestFind(t *testing.T) {
	seen := make(map[string]bool)
	for range 20 {
		address, err := Find()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if port := l.Addr().(*net.TCPAddr).Port; port < first || port >= last || seen[address] {
			t.Errorf("port %d", port)
		}
		seen[address] = true
	}
}
