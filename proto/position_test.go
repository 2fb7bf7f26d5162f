package proto

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// A placingSession attaches the text of each message to what it makes of it, and confirms
// what is done.
type placingSession struct{ makingSession }

func (s placingSession) OnOpen(time.Time) []Effect { return []Effect{Moved{"begun"}} }

func (s placingSession) Decode(m Message) (event bool, effects []Effect, err error) {
	event, effects, err = s.makingSession.Decode(m)
	if text := string(m.Data); text != "plain" {
		effects = append(effects, Moved{text})
	}
	return event, effects, err
}

func (placingSession) Confirm(positions []any, _ time.Time) (effects []Effect) {
	for _, p := range positions {
		effects = append(effects, Send{Text(fmt.Append(nil, "done ", p))})
	}
	return effects
}

// A placeSink notes events and positions, and says that they are done.
type placeSink struct {
	seen      []string
	delivered *Delivered
	last      string
}

func (s *placeSink) Event(ev *Event) error {
	text := string(ev.Data)
	if ev.Position != nil {
		text += " @" + ev.Position.(string)
		s.delivered.Add(ev.Position)
	}
	s.seen = append(s.seen, text)
	if string(ev.Data) == s.last {
		return errEnough
	}
	return nil
}

func (s *placeSink) Position(v any) error {
	s.seen = append(s.seen, "@"+v.(string))
	s.delivered.Add(v)
	return nil
}

func (s *placeSink) Flush() error { return nil }

// Positions reach the sink in order with the events: with the message, with the last
// event made of it, or between events. What is done is confirmed, also by the event that
// ends the run.
func TestPositions(t *testing.T) {
	for _, frames := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var heard []string
			nw := &network{t: t, serve: func(_ int, p *peer) {
				p.text("make") // a message without an event, alone
				for f := range p.in {
					heard = append(heard, string(f.Payload))
					if string(f.Payload) == "done make" {
						break
					}
				}
				var all []byte // in one batch
				for _, m := range []string{"a", "plain", "make b c", "make", "both d e", "make f", "z"} {
					all = append(all, frameBytes(frame.OpText, m)...)
				}
				p.conn.Write(all)
				rest, _ := p.untilClose()
				heard = append(heard, rest...)
			}}
			o := testOptions(nw)
			o.Frames = frames
			o.Delivered = NewDelivered()
			sink := &placeSink{delivered: o.Delivered, last: "z"}
			if err := Run(testContext(t), making(placingSession{}), sink, o); err != errEnough {
				t.Error(err)
			}
			nw.wg.Wait()
			want := []string{"@begun", "@make", "a @a", "plain", "b", "c @make b c", "@make", "both d e", "d e @both d e", "f @make f", "z @z"}
			done := []string{"begun", "make", "a", "make b c", "make", "both d e", "make f", "z"}
			if frames {
				want = []string{"@begun", "make @make", "a @a", "plain", "make b c @make b c", "make @make", "both d e @both d e", "make f @make f", "z @z"}
				done = []string{"begun", "make", "a", "make b c", "make", "both d e", "make f", "z"}
			}
			seen := slices.DeleteFunc(sink.seen, func(s string) bool { return strings.HasPrefix(s, "done ") }) // sent frames
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("frames %v (-want +got):\n%s", frames, diff)
			}
			if got := strings.Join(heard, ", "); got != "done "+strings.Join(done, ", done ") {
				t.Errorf("frames %v: confirmed %s", frames, got)
			}
		})
	}
}

// What happened between an earlier process and this one is a gap, unless the service says
// otherwise. The clock may have been set back meanwhile.
func TestGapBeforeRun(t *testing.T) {
	for _, tt := range []struct {
		first string
		ago   time.Duration
		want  string
	}{{"ready", time.Hour, "1h0m0s"}, {"ready", -time.Hour, "0s"}, {"resumed", time.Hour, ""}, {"ready", 0, ""}} {
		synctest.Test(t, func(t *testing.T) {
			nw := &network{t: t, serve: func(_ int, p *peer) {
				p.text(tt.first, "done")
				p.untilClose()
			}}
			o := testOptions(nw)
			if tt.ago != 0 {
				o.Resumed = time.Now().Add(-tt.ago)
			}
			got := ""
			o.Trace.Status = func(st Status) {
				if g, ok := st.State.(Gap); ok {
					if got += g.To.Sub(g.From).String(); g.Reason != NotRunning {
						t.Errorf("reason %q", g.Reason)
					}
				}
			}
			if err := Run(testContext(t), making(makingSession{}), &recorder{}, o); err != nil {
				t.Error(err)
			}
			nw.wg.Wait()
			if got != tt.want {
				t.Errorf("%+v: gap of %q", tt, got)
			}
		})
	}
}
