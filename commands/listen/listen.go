package listen

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/hark-cli/hark/internal/cmdline"
)

// Forms are the addresses that On takes, for help.
const Forms = "PORT (of localhost), :PORT (of all addresses), HOST:PORT, or unix:PATH"

// On listens on an address given by the user: one of Forms, with port 0 for any free
// port. The error is about the address.
func On(address string) (net.Listener, *cmdline.UsageError) {
	network, at := "tcp", address
	if _, err := strconv.ParseUint(at, 10, 16); err == nil {
		at = "127.0.0.1:" + at
	}
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		network, at = "unix", path
	}
	if at == "" || strings.Contains(at, "://") {
		return nil, failure(address, errors.New("not an address to listen on"))
	}
	l, err := net.Listen(network, at)
	if err != nil {
		return nil, failure(address, err)
	}
	return l, nil
}

// failure returns the error for an address that cannot be listened on.
func failure(address string, err error) *cmdline.UsageError {
	cause, advice := err, "expected a port such as 8080, HOST:PORT or unix:PATH"
	if op, ok := errors.AsType[*net.OpError](err); ok {
		cause = op.Err
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program listens on it; use port 0 for any free port"
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			advice = "if no other program listens there, remove " + path
		}
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 require root; use port 0 for any free port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address; a port alone listens on 127.0.0.1, :PORT on all"
	}
	return &cmdline.UsageError{Message: fmt.Sprintf("cannot listen on %q: %v", cmdline.Cut(address, 60), cause), Advice: advice}
}
