package doshii

import (
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
)

func TestFaultPong(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial(appPath(wire.PathApp), emulator.FaultHeader+": delay-pong=2s")
		start := time.Now()
		c.Send(frame.OpText, `{"doshii":{"ping":1}}`)
		c.Send(frame.OpPing, "p")
		c.WantText(`{"doshii":{"pong":1,"version":"3.2.0"}}`)
		if op, _, err := c.Read(); op != frame.OpPong || err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("%v, %v after %v", op, err, time.Since(start))
		}
		c = b.Dial(appPath(wire.PathApp), emulator.FaultHeader+": no-pong")
		c.Send(frame.OpText, `{"doshii":{"ping":1}}`)
		c.Send(frame.OpPing, "p")
		c.WantQuiet(10 * time.Second)
	})
}
