package prompt

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// A pinging is a series of pings in progress.
type pinging struct {
	on      bool
	left    int
	number  int
	text    string // instead of a number
	payload string
	at      time.Time // when the last one was queued
	went    time.Time // when it was sent
}

// pingPatience is how long /ping waits for a pong.
const pingPatience = 5 * time.Second

// nextPing sends the next ping of a series.
func (t *talk) nextPing() {
	p := &t.pinging
	p.left--
	p.number++
	p.on, p.at, p.went = true, time.Now(), time.Time{}
	p.payload = cmp.Or(p.text, fmt.Sprintf("hark %d", p.number))
	t.send(proto.Frame{Opcode: frame.OpPing, Payload: []byte(p.payload)})
}

// seeControl handles a control frame.
func (t *talk) seeControl(r proto.FrameRecord) {
	p := &t.pinging
	switch {
	case r.Opcode == frame.OpClose && r.Direction == proto.In:
		code, reason := frame.ParseClose(r.Payload)
		t.closed = strings.TrimSpace(fmt.Sprintf("%d %s", code, reason))
		if code == frame.StatusNone {
			t.closed = "no status"
		}
	case !p.on || string(r.Payload) != p.payload:
	case r.Opcode == frame.OpPing && r.Direction == proto.Out:
		p.went = r.Time
	case r.Opcode == frame.OpPong && r.Direction == proto.In:
		t.answer(fmt.Sprintf("pong %d after %s", p.number, r.Time.Sub(p.went).Round(10*time.Microsecond)))
		if p.left > 0 {
			t.nextPing()
		} else {
			number := p.number
			*p = pinging{number: number}
		}
	}
	if t.Pings && r.Opcode != frame.OpClose {
		mark := map[proto.Direction]string{proto.In: "< ", proto.Out: "> "}[r.Direction]
		t.answerStyled(mark + r.Opcode.String() + " " + Visible(string(r.Payload)))
	}
}

func (t *talk) cmdPing(rest string) error {
	n, text := 1, ""
	if number, err := strconv.Atoi(rest); err == nil {
		n = number
	} else {
		text = rest
	}
	if n < 1 {
		return cmdline.Usagef("/ping %s: expected a number of pings, at least 1", cmdline.Cut(rest, 24))
	}
	if err := t.mayControl(text); err != nil {
		return err
	}
	t.pinging.left, t.pinging.text = n, text
	t.nextPing()
	return nil
}

func (t *talk) cmdPong(rest string) error {
	if err := t.mayControl(rest); err != nil {
		return err
	}
	t.send(proto.Frame{Opcode: frame.OpPong, Payload: []byte(rest)})
	return nil
}

// mayControl reports whether a control frame with this text can be sent now.
func (t *talk) mayControl(text string) error {
	if len(text) > frame.MaxControlPayload {
		return cmdline.Usagef("the text has %d bytes; the limit is %d", len(text), frame.MaxControlPayload)
	}
	if !t.up {
		return errNotConnected()
	}
	return nil
}
