package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"strconv"
)

// runServe is the load server by itself, to look at one client with other tools:
// it prints its address and sends each client N events of SIZE bytes.
func runServe(args []string) int {
	var size, n int
	var err error
	if len(args) == 2 {
		if size, err = strconv.Atoi(args[0]); err == nil {
			n, err = strconv.Atoi(args[1])
		}
	}
	if size < 250 || n < 1 || err != nil {
		fmt.Fprintln(os.Stderr, "bench serve: expected SIZE, at least 250, and N")
		return 2
	}
	s, err := listen(tls.Certificate{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench serve:", err)
		return 1
	}
	defer s.close()
	l := newLoad(size, false)
	fmt.Println(s.url(false))
	for c := range s.conns {
		go func() {
			if err := c.stream(l, n); err != nil {
				c.Close()
				return
			}
			c.finish()
		}()
	}
	return 0
}
