package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/hark-cli/hark/proto/frame"
)

// floor is the bare frame reader: it prints each message on a line, and does
// nothing else that a client must do. It validates nothing, answers nothing, and
// knows neither fragments nor compression. What it costs is the floor of what any
// client can cost.
func floor(address string, stdout io.Writer) error {
	c, err := upgrade(address)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(resp.Status)
	}
	w := bufio.NewWriterSize(stdout, 64<<10)
	for {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		more, err := copyFrame(r, w)
		if err != nil || !more {
			return errors.Join(err, w.Flush())
		}
	}
}

func upgrade(address string) (net.Conn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	var c net.Conn
	if u.Scheme == "wss" {
		c, err = tls.Dial("tcp", u.Host, nil)
	} else {
		c, err = net.Dial("tcp", u.Host)
	}
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.Host)
	return c, err
}

// copyFrame copies one frame as a line; more is false after a close frame.
func copyFrame(r *bufio.Reader, w *bufio.Writer) (more bool, err error) {
	var h frame.Header
	n := 0
	for want := 2; n == 0; want++ {
		b, err := r.Peek(want)
		if err != nil {
			return false, err
		}
		h, n = frame.ParseHeader(b)
	}
	_, _ = r.Discard(n)
	if h.Opcode == frame.OpClose {
		return false, nil
	}
	for left := int(h.Length); left > 0; {
		if r.Buffered() == 0 {
			if _, err := r.Peek(1); err != nil {
				return false, err
			}
		}
		b, _ := r.Peek(min(left, r.Buffered()))
		if _, err := w.Write(b); err != nil {
			return false, err
		}
		_, _ = r.Discard(len(b))
		left -= len(b)
	}
	return true, w.WriteByte('\n')
}

func runFloor(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "bench floor: expected an address")
		return 2
	}
	if err := floor(args[0], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench floor:", err)
		return 1
	}
	return 0
}
