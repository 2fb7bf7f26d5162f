package octave

import (
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/frame"
)

// The faults of acknowledgments and sessions of "octave", set on the session request.
func TestFaultOctave(t *testing.T) {
	session := func(b *bench, spec string) *emulatortest.Client {
		return b.Dial(b.session(append(masterHeaders(), emulator.FaultHeader+": "+spec)...))
	}
	inBubble(t, quiet(), func(b *bench) {
		c := session(b, "ack-delay=3s")
		start := time.Now()
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantText(octaveOK)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("acknowledged after %v", d)
		}

		c = session(b, "ack-after")
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantQuiet(time.Minute / 2)
		c.Send(frame.OpText, subscribeTo("/demo/nothing")) // a refusal does not wait
		if got := c.Text(); !strings.Contains(got, `"ok":false`) {
			t.Errorf("got %s", got)
		}
		b.publishOctave(DemoStream, `{"n":1}`)
		if got := c.Text(); !strings.Contains(got, `"type":"message"`) {
			t.Errorf("first came %s", got)
		}
		c.WantText(octaveOK)

		c = session(b, "ack-null absent")
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantText(strings.Replace(octaveOK, `"body":{}`, `"body":null`, 1))
		b.publishOctave(DemoStream, `{"n":2}`)
		if got := c.Text(); strings.Contains(got, "null") || strings.Contains(got, "tags") || !strings.Contains(got, `"elems":{"n":2}`) {
			t.Errorf("with members absent: %s", got)
		}

		path := b.session(append(masterHeaders(), emulator.FaultHeader+": session-expired")...)
		if _, res := b.Upgrade(path); res.StatusCode != 404 {
			t.Errorf("an expired session: %s", res.Status)
		}
	})
}
