package proto

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/wire"
)

// A frameSink keeps every frame as a line of a tape, without the time.
type frameSink struct{ lines []string }

func (s *frameSink) Event(ev *Event) error {
	b := AppendRecord(nil, FrameRecord{
		Time: ev.Time, Direction: ev.Direction, Opcode: ev.Opcode, Payload: ev.Data, Secret: ev.Secret,
	})
	_, rest, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), ",")
	s.lines = append(s.lines, rest)
	return nil
}

func (s *frameSink) Flush() error { return nil }

// With Frames the sink gets what went by in both directions, in order, and no
// credential.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.next(wire.OpText)
			p.next(wire.OpText)
			p.text("one", `{"n":2}`)
			p.send(wire.OpPing, "are you there")
			p.next(wire.OpPong)
			p.send(wire.OpBinary, "\x00\xff")
			p.next(wire.OpPing)
			p.send(wire.OpPong, "hark")
			p.send(wire.OpClose, string(wire.ClosePayload(wire.StatusNormal, "bye")))
			p.next(wire.OpClose)
		}}
		o := testOptions(nw)
		o.Frames, o.Retries, o.PingInterval = true, 0, time.Minute
		svc := &Plain{URL: "ws://test/", Greeting: []Frame{
			Text([]byte("hello")), {Opcode: wire.OpText, Payload: []byte("hunter2"), Secret: true},
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
			`"dir":"out","op":"ping","text":"hark"}`,
			`"dir":"in","op":"pong","text":"hark"}`,
			`"dir":"in","op":"close","code":1000,"reason":"bye"}`,
			`"dir":"out","op":"close","code":1000,"reason":"bye"}`,
		}
		if diff := cmp.Diff(want, sink.lines); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
		nw.wg.Wait()
	})
}
