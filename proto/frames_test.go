package proto

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A frameSink records every frame as a line of a recording, without the time.
type frameSink struct{ lines []string }

func (s *frameSink) Event(ev *Event) error {
	b, _ := BeginFrame(nil, FrameRecord{
		Time: ev.Time, Direction: ev.Direction, Opcode: ev.Opcode, Payload: ev.Data, Secret: ev.Secret,
	})
	_, rest, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), ",")
	s.lines = append(s.lines, rest)
	return nil
}

func (s *frameSink) Flush() error { return nil }

// With Frames the sink gets the frames of both directions, in order, and no credential.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.next(frame.OpText)
			p.next(frame.OpText)
			p.text("one", `{"n":2}`)
			p.send(frame.OpPing, "are you there")
			p.next(frame.OpPong)
			p.send(frame.OpBinary, "\x00\xff")
			p.next(frame.OpPing)
			p.send(frame.OpPong, "hark 1")
			p.send(frame.OpClose, string(frame.ClosePayload(frame.StatusNormal, "bye")))
			p.next(frame.OpClose)
		}}
		o := testOptions(nw)
		o.Frames, o.Retries, o.PingInterval = true, 0, time.Minute
		svc := &rawService{URL: "ws://test/", FirstFrames: []Frame{
			Text([]byte("hello")), {Opcode: frame.OpText, Payload: []byte("hunter2"), Secret: true},
		}}
		var sink frameSink
		if err := Run(context.Background(), svc, &sink, o); err != nil {
			t.Errorf("Run: %v", err)
		}
		want := []string{
			`"dir":"out","op":"text","text":"hello"}`,
			`"dir":"out","op":"text","withheld":true}`,
			`"dir":"in","op":"text","text":"one"}`,
			`"dir":"in","op":"text","text":"{\"n\":2}"}`,
			`"dir":"in","op":"ping","text":"are you there"}`,
			`"dir":"out","op":"pong","text":"are you there"}`,
			`"dir":"in","op":"binary","base64":"AP8="}`,
			`"dir":"out","op":"ping","text":"hark 1"}`,
			`"dir":"in","op":"pong","text":"hark 1"}`,
			`"dir":"in","op":"close","code":1000,"reason":"bye"}`,
			`"dir":"out","op":"close","code":1000,"reason":"bye"}`,
		}
		if diff := cmp.Diff(want, sink.lines); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
		nw.wg.Wait()
	})
}

// A replySession answers each message, and adds an event to it.
type replySession struct{ rawSession }

func (replySession) Decode(m Message) (event bool, _ []Effect, _ error) {
	return true, []Effect{
		Send{Text([]byte("re:" + string(m.Data)))},
		Inject{{Data: []byte("added by " + string(m.Data))}},
	}, nil
}

type sessionService struct {
	*rawService
	session Session
}

func (s sessionService) Start() Source {
	return SourceFunc(func(ctx context.Context) (*Handshake, error) {
		hs, err := s.handshake(ctx)
		hs.Session = s.session
		return hs, err
	})
}

// Answers follow the message that they answer, although several were read at once, and
// added events follow all of those.
func TestFramesOfAnswers(t *testing.T) {
	for _, frames := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: func(_ int, p *peer) {
				p.conn.Write(append(frameBytes(frame.OpText, "one"), frameBytes(frame.OpText, "two")...))
				p.next(frame.OpText)
				p.next(frame.OpText)
				p.send(frame.OpClose, string(frame.ClosePayload(1000, "")))
			}}
			o := testOptions(nw)
			o.Frames, o.Retries = frames, 0
			var d traceRecorder
			o.Trace = d.trace()
			var sink frameSink
			if err := Run(t.Context(), sessionService{testService, replySession{}}, &sink, o); err != nil {
				t.Errorf("Run: %v", err)
			}
			want := []string{
				`"dir":"in","op":"text","text":"one"}`, `"dir":"out","op":"text","text":"re:one"}`,
				`"dir":"in","op":"text","text":"two"}`, `"dir":"out","op":"text","text":"re:two"}`,
				`"dir":"in","op":"close","code":1000}`, `"dir":"out","op":"close","code":1000}`,
			}
			if !frames {
				want = []string{
					`"dir":"in","op":"text","text":"one"}`, `"dir":"in","op":"text","text":"two"}`,
					`"dir":"in","op":"text","text":"added by one"}`, `"dir":"in","op":"text","text":"added by two"}`,
				}
			}
			if diff := cmp.Diff(want, sink.lines); diff != "" {
				t.Errorf("frames %t (-want +got):\n%s", frames, diff)
			}
			traced := []string{"< text one", "> text re:one", "< text two", "> text re:two", "< close 1000 ", "> close 1000 "}
			if diff := cmp.Diff(traced, d.frames); diff != "" {
				t.Errorf("trace (-want +got):\n%s", diff)
			}
			nw.wg.Wait()
		})
	}
}

// A recording has the complete closing handshake, however the run ends.
func TestRecordingHasTheEnd(t *testing.T) {
	for _, ends := range []string{"sink", "context"} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: func(_ int, p *peer) { p.text("one"); p.untilClose() }}
			o := testOptions(nw)
			var d traceRecorder
			o.Trace = d.trace()
			ctx, cancel := canceled(errStop)
			var sink recorder
			if ends == "sink" {
				sink.limit = 1
			} else {
				time.AfterFunc(time.Second, cancel)
			}
			_ = Run(ctx, testService, &sink, o)
			if diff := cmp.Diff([]string{"< text one", "> close 1000 ", "< close 1000 "}, d.frames); diff != "" {
				t.Errorf("ended by the %s: frames (-want +got):\n%s", ends, diff)
			}
			nw.wg.Wait()
		})
	}
}

var errStop = errors.New("stop")
