package proto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto/frame"
)

// Tick is called, and blocking work runs concurrently with the connection.
type keeperService struct{ *rawService }

type scheduledSession struct {
	rawSession
	next time.Time
	done int
}

func (s keeperService) Start() Source {
	return SourceFunc(func(ctx context.Context) (*Handshake, error) {
		hs, err := s.handshake(ctx)
		hs.Session = &scheduledSession{}
		return hs, err
	})
}

func (s *scheduledSession) Tick(now time.Time) (Work, error) {
	if s.next.IsZero() {
		s.next = now.Add(7 * time.Second)
	}
	if now.Before(s.next) {
		return Work{Next: s.next}, nil
	}
	s.next = now.Add(7 * time.Second)
	return Work{Do: func(ctx context.Context) func(time.Time) (Work, error) {
		select { // a slow command
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
		return func(now time.Time) (Work, error) {
			s.done++
			s.next = now.Add(7 * time.Second)
			return Work{Effects: []Effect{Send{Text(fmt.Append(nil, s.done))}}, Next: s.next}, nil
		}
	}}, nil
}

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for i := 1; i <= 3; i++ {
				s, _ := p.next(frame.OpText)
				if want := time.Duration(i) * 10 * time.Second; s != fmt.Sprint(i) || time.Since(start) != want {
					t.Errorf("message %q after %s, want %d after %s", s, time.Since(start), i, want)
				}
			}
			p.text("x")
			p.untilClose()
		}}
		o := testOptions(nw)
		svc := keeperService{testService}
		if err := Run(t.Context(), svc, &recorder{limit: 1}, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
}

// A strictSession requires a message at least every two seconds.
type strictSession struct {
	rawSession
	heard time.Time
}

func (s *strictSession) OnOpen(now time.Time) []Effect {
	s.heard = now
	return []Effect{StreamReady{}}
}

func (s *strictSession) Decode(m Message) (event bool, _ []Effect, _ error) {
	s.heard = m.Time
	return len(m.Data) > 10, nil, nil
}

func (s *strictSession) Tick(now time.Time) (Work, error) {
	if now.Sub(s.heard) > 2*time.Second {
		return Work{Next: now.Add(time.Second)}, &LostError{errors.New("no heartbeat")}
	}
	return Work{Next: now.Add(time.Second)}, nil
}

// A message that a session misses while reads are paused may be unread, whatever blocks
// the reader: a full buffer, or a message that does not fit into the rest of it.
func TestNothingIsMissedWhileNothingIsRead(t *testing.T) {
	for _, size := range []int{1000, 3 << 20} {
		for _, takes := range []time.Duration{3 * time.Second, 20 * time.Second} {
			t.Run(fmt.Sprint(size, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					nw := &network{t: t, serve: func(_ int, p *peer) {
						var more sync.WaitGroup
						more.Go(func() {
							for p.send(frame.OpText, "beat") {
								time.Sleep(time.Second)
							}
						})
						for range 5 {
							if !p.send(frame.OpText, strings.Repeat("x", size)) {
								break
							}
						}
						p.untilClose()
						p.conn.Close()
						more.Wait()
					}}
					o := testOptions(nw)
					o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
						resp, err := nw.RoundTrip(req)
						resp.Body = newSocket(resp.Body.(io.ReadWriteCloser))
						return resp, err
					})
					o.Retries, o.Buffer = 0, size+size/2
					n := 0
					sink := sinkFunc(func(*Event) error {
						time.Sleep(takes)
						if n++; n == 5 {
							return errEnough
						}
						return nil
					})
					svc := sessionService{testService, &strictSession{}}
					if err := Run(t.Context(), svc, sink, o); !errors.Is(err, errEnough) {
						t.Errorf("Run: %v", err)
					}
					nw.wg.Wait()
				})
			})
		}
	}
}

// A session that misses a message when everything is read ends the connection.
func TestMissedHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) { p.text("event number 1"); p.untilClose() }}
		o := testOptions(nw)
		o.Retries = 0
		start := time.Now()
		err := Run(t.Context(), sessionService{testService, &strictSession{}}, &recorder{}, o)
		if !is[*LostError](err) || time.Since(start) > 4*time.Second {
			t.Errorf("Run: %v after %s", err, time.Since(start))
		}
		nw.wg.Wait()
	})
}
