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

// The time of a message is that of its last bytes, whichever way it takes.
func TestTimeOfMessages(t *testing.T) {
	for _, library := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			nw := &network{t: t, serve: func(_ int, p *peer) {
				at := func(d time.Duration, b ...byte) {
					time.Sleep(time.Until(start.Add(d)))
					p.conn.Write(b)
				}
				two := append(frameBytes(frame.OpText, "a"), frameBytes(frame.OpText, "b")...)
				at(1*time.Second, two...)
				long := frameBytes(frame.OpText, "cc")
				at(2*time.Second, long[:3]...)
				at(3*time.Second, long[3:]...)
				at(4*time.Second, append(two[:3:3], long[:1]...)...)
				at(5*time.Second, long[1:]...)
				large := frameBytes(frame.OpText, strings.Repeat("d", 2*(64<<10)))
				at(6*time.Second, large[:(64<<10)]...)
				at(7*time.Second, large[(64<<10):]...)
				at(8*time.Second, append(frame.AppendHeader(nil, frame.Header{Opcode: frame.OpText, Length: 1}), 'e')...)
				at(9*time.Second, append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpContinuation, Length: 1}), 'e')...)
				p.untilClose()
			}}
			o := testOptions(nw)
			o.Dial.noFastPath = library
			sink := recorder{limit: 7}
			if err := runTest(t, nw, &sink, o); !errors.Is(err, errEnough) {
				t.Errorf("Run: %v", err)
			}
			var got []string
			for i, at := range sink.times {
				got = append(got, fmt.Sprintf("%.2s at %s", sink.events[i], at.Sub(start)))
			}
			want := []string{"a at 1s", "b at 1s", "cc at 3s", "a at 4s", "cc at 5s", "dd at 7s", "ee at 9s"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("times (-want +got):\n%s", diff)
			}
			nw.wg.Wait()
		})
	}
}
