package health

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestText(t *testing.T) {
	got := string(Text([]Metric{
		{Name: "a_total", Help: "With a \\ and\na line feed.", Counter: true, Value: 12345678},
		{Name: "b", Help: "B.", Labels: []string{"x", "1"}, Value: 0.5},
		{Name: "b", Help: "B.", Labels: []string{"x", "a\"b\\c\nd\xff", "y", "2"}, Value: -3},
	}))
	const want = `# HELP a_total With a \\ and\na line feed.
# TYPE a_total counter
a_total 1.2345678e+07
# HELP b B.
# TYPE b gauge
b{x="1"} 0.5
b{x="a\"b\\c\nd` + "\uFFFD" + `",y="2"} -3
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func serve(t *testing.T, status func() Status) (s *Server, base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = Serve(l, l.Addr().String(), status)
	t.Cleanup(s.Close)
	return s, "http://" + l.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(b)
}

func TestServer(t *testing.T) {
	why := "connecting"
	_, base := serve(t, func() Status { return Status{NotReady: why, Metrics: []Metric{{Name: "m", Help: "M.", Value: 1}}} })
	for _, tt := range []struct {
		path, why string
		code      int
		want      string
	}{
		{"/healthz", "connecting", 200, "ok\n"},
		{"/readyz", "connecting", 503, "not ready: connecting\n"},
		{"/readyz", "", 200, "ready\n"},
		{"/metrics", "", 200, "# HELP m M.\n# TYPE m gauge\nm 1\n"},
		{"/other", "", 404, ""},
	} {
		why = tt.why
		if code, text := get(t, base+tt.path); code != tt.code || tt.want != "" && text != tt.want {
			t.Errorf("%s: %d, %q", tt.path, code, text)
		}
	}
}

// What a client sends is bounded, and how long it may take.
func TestLimits(t *testing.T) {
	s, base := serve(t, func() Status { return Status{} })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 64<<10))
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a large header: %s", resp.Status)
		}
	}
	if s.http.ReadHeaderTimeout == 0 || s.http.ReadTimeout == 0 || s.http.WriteTimeout == 0 || s.http.IdleTimeout == 0 {
		t.Error("a client may take as long as it likes")
	}
}

// endless is a listener that always has another client.
type endless struct{ net.Listener }

func (endless) Accept() (net.Conn, error) {
	c, _ := net.Pipe()
	return c, nil
}

func (endless) Close() error { return nil }

// Clients beyond the limit are served when others have gone.
func TestFewClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		few := newLimited(endless{}, 2)
		var open []net.Conn
		ended := make(chan error)
		go func() {
			for {
				c, err := few.Accept()
				if err != nil {
					ended <- err
					return
				}
				open = append(open, c)
			}
		}()
		for n := 2; n < 5; n++ {
			synctest.Wait()
			if len(open) != n {
				t.Errorf("%d clients, want %d", len(open), n)
			}
			c := open[n-2]
			c.Close()
			c.Close() // it counts once
		}
		few.Close()
		few.Close()
		if err := <-ended; err != net.ErrClosed {
			t.Errorf("%v", err)
		}
	})
}

// Close ends connections that are open.
func TestClose(t *testing.T) {
	s, base := serve(t, func() Status { return Status{} })
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	if _, err := io.ReadFull(c, buf); err != nil { // it has been accepted
		t.Fatal(err)
	}
	s.Close()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Log(err) // reset
	}
	if _, err := http.Get(base + "/healthz"); err == nil {
		t.Error("it answers after it was closed")
	}
}
