package proto

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A makingSession returns the effects in its messages.
type makingSession struct{ rawSession }

func (makingSession) OnOpen(time.Time) []Effect { return nil }

func (makingSession) Decode(m Message) (event bool, effects []Effect, _ error) {
	word, rest, _ := strings.Cut(string(m.Data), " ")
	switch word {
	case "make":
		var events Events
		for s := range strings.FieldsSeq(rest) {
			events = append(events, Message{Data: []byte(s), Time: m.Time})
		}
		return false, []Effect{events}, nil
	case "both":
		return true, []Effect{Events{{Data: []byte(rest)}}}, nil
	case "secret":
		return false, []Effect{Note("n"), Secrets{rest}}, nil
	case "ready":
		return false, []Effect{StreamReady{}}, nil
	case "resumed":
		return false, []Effect{Resumed{}, StreamReady{}}, nil
	case "done", "fail":
		return true, []Effect{Events{{Data: []byte("last")}}}, errors.New(word)
	case "send":
		return false, []Effect{Send{Text([]byte(rest))}}, nil
	case "urgent":
		return false, []Effect{Send{{Opcode: frame.OpText, Payload: []byte(rest), Urgent: true}}}, nil
	}
	return true, nil, nil
}

func (makingSession) CloseCode() int { return 4321 }

type limitedSession struct{ makingSession }

func (limitedSession) SendLimit() (int, time.Duration) { return 2, time.Minute }

// A makingService treats "done" as the end.
type makingService struct{ sessionService }

func (makingService) Classify(err error) Verdict {
	if err.Error() == "done" {
		return Verdict{Class: Done}
	}
	return Verdict{}
}

func making(s Session) Service { return makingService{sessionService{testService, s}} }

func TestMadeEvents(t *testing.T) {
	for _, frames := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: func(_ int, p *peer) {
				var all []byte // in one batch
				for _, m := range []string{"a", "make b", "make c d e", "make", "f", "both g h", "i", "done"} {
					all = append(all, frameBytes(frame.OpText, m)...)
				}
				p.conn.Write(all)
				p.untilClose()
			}}
			sink := &recorder{}
			o := testOptions(nw)
			o.Frames = frames
			if err := Run(testContext(t), making(makingSession{}), sink, o); err != nil {
				t.Error(err)
			}
			nw.wg.Wait()
			want := []string{"a", "b", "c", "d", "e", "f", "both g h", "g h", "i", "done", "last"}
			got := sink.got()
			if frames {
				want, got = []string{"a", "make b", "make c d e", "make", "f", "both g h", "i", "done"}, got[:8]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("frames %v (-want +got):\n%s", frames, diff)
			}
		})
	}
}

// A credential in a message is removed from output, also in that message.
func TestSecretsComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("secret s3cret", "done")
			_, code := p.untilClose()
			if code != 4321 {
				t.Errorf("closed with %d", code)
			}
		}}
		var order []string
		o := testOptions(nw)
		o.Trace.Secret = func(v string) { order = append(order, "secret "+v) }
		o.Trace.Note = func(text string) { order = append(order, "note") }
		o.Trace.Frame = func(r FrameRecord) {
			if r.Handshake == nil && r.Opcode == frame.OpText {
				order = append(order, fmt.Sprintf("frame %s", r.Payload))
			}
		}
		if err := Run(testContext(t), making(makingSession{}), &recorder{}, o); err != nil {
			t.Error(err)
		}
		nw.wg.Wait()
		if got := strings.Join(order[:3], ", "); got != "secret s3cret, frame secret s3cret, note" {
			t.Error(order)
		}
	})
}

// A service that confirms that nothing was missed leaves no gap; the next loss does.
func TestResumedWithoutGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			switch n {
			case 1, 3:
				p.text("ready", "x")
			case 2:
				p.text("resumed", "x")
			case 4:
				p.text("ready", "done")
				p.untilClose()
				return
			}
			time.Sleep(time.Second)
		}}
		d := &traceRecorder{}
		o := testOptions(nw)
		o.Trace = d.trace()
		if err := Run(testContext(t), making(makingSession{}), &recorder{}, o); err != nil {
			t.Error(err)
		}
		nw.wg.Wait()
		var gaps []int
		for _, s := range d.statuses {
			if _, ok := s.State.(Gap); ok {
				gaps = append(gaps, s.Attempt)
			}
		}
		if diff := cmp.Diff([]int{3, 4}, gaps); diff != "" {
			t.Errorf("gaps (-want +got):\n%s\n%v", diff, d.states)
		}
	})
}

// A session sends no more frames than its service allows, urgent ones first.
func TestSendLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("send a", "send b", "send c", "send d", "urgent e")
			var got []string
			for f := range p.in {
				if f.Opcode != frame.OpText {
					continue
				}
				got = append(got, fmt.Sprintf("%s %s", f.Payload, time.Since(start).Round(time.Second)))
				if len(got) == 5 {
					p.text("done")
					break
				}
			}
			p.untilClose()
			if diff := cmp.Diff([]string{"a 0s", "b 0s", "e 1m0s", "c 1m0s", "d 2m0s"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}}
		o := testOptions(nw)
		svc := making(limitedSession{})
		if err := Run(testContext(t), svc, &recorder{}, o); err != nil {
			t.Error(err)
		}
		nw.wg.Wait()
	})
}

// A server that makes a client send without limit is disconnected.
func TestSendLimitFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			for n := 0; n < 2*maxWaiting && p.send(frame.OpText, "send a"); n++ {
			}
		}}
		o := testOptions(nw)
		o.Retries = 0
		svc := making(limitedSession{})
		err := Run(testContext(t), svc, &recorder{}, o)
		if err == nil || !strings.Contains(err.Error(), "more than its limit allows") {
			t.Error(err)
		}
		nw.wg.Wait()
	})
}
