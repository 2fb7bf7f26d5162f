package proto

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A gap begins when reads were paused, not with the last bytes that were read, so it
// includes events lost meanwhile.
func TestGapCoversWhatWasNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nw := &network{t: t, serve: func(n int, p *peer) {
			if n == 2 {
				p.untilClose()
				return
			}
			for i := range 100 { // for 10 s; the rest waits in the socket
				p.text(fmt.Sprint(i, strings.Repeat("x", 1000)))
				time.Sleep(100 * time.Millisecond)
			}
		}}
		o := testOptions(nw)
		o.Buffer = 10_000
		o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := nw.RoundTrip(req)
			resp.Body = newSocket(resp.Body.(io.ReadWriteCloser))
			return resp, err
		})
		sink := &recorder{gate: make(chan struct{})}
		time.AfterFunc(20*time.Second, func() { close(sink.gate) })
		var d traceRecorder
		o.Trace = d.trace()
		ctx, cancel := canceled(errStop)
		time.AfterFunc(40*time.Second, cancel)
		if err := Run(ctx, testService, sink, o); !errors.Is(err, errStop) {
			t.Errorf("Run: %v", err)
		}
		if n := len(sink.got()); n != 100 {
			t.Errorf("%d events", n)
		}
		_, gap, ok := firstOf[Gap](d.statuses)
		if from := gap.From.Sub(start); !ok || from > 2*time.Second {
			t.Errorf("the gap begins after %s, but the buffer was full before", from)
		}
		nw.wg.Wait()
	})
}

// A socket buffers data until it is read.
type socket struct {
	io.ReadWriteCloser

	mu   sync.Mutex
	more *sync.Cond
	data []byte
	err  error
}

func newSocket(rwc io.ReadWriteCloser) *socket {
	s := &socket{ReadWriteCloser: rwc}
	s.more = sync.NewCond(&s.mu)
	go func() {
		p := make([]byte, 1<<16)
		for s.err == nil {
			n, err := rwc.Read(p)
			s.mu.Lock()
			s.data, s.err = append(s.data, p[:n]...), err
			s.more.Broadcast()
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *socket) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.data) == 0 && s.err == nil {
		s.more.Wait()
	}
	if n := copy(p, s.data); n > 0 {
		s.data = s.data[n:]
		return n, nil
	}
	return 0, s.err
}
