package prompt

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

const (
	// recentLimit is how many messages /last can look back, and recentBytes how much of
	// them is kept.
	recentLimit = 1000
	recentBytes = 4 << 20
	// lastShown is how many messages /last shows.
	lastShown = 10
)

// A recent is one of the last messages.
type recent struct {
	message
	dir  proto.Direction
	size int // of data, which is nil if it was too large to keep
}

// look keeps a message for /last. l.mu is held.
func (l *transcript) look(dir proto.Direction, binary bool, data []byte) {
	r := recent{message{binary: binary, at: time.Now()}, dir, len(data)}
	if len(data) <= SaidLimit {
		r.data = slices.Clone(data)
	}
	l.recent, l.kept = append(l.recent, r), l.kept+len(r.data)
	for len(l.recent) > recentLimit || l.kept > recentBytes {
		l.kept -= len(l.recent[0].data)
		l.recent[0].data = nil
		l.recent = l.recent[1:]
	}
}

// lastFirst returns the last messages, the youngest first.
func (l *transcript) lastFirst() []recent {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.recent)
	slices.Reverse(list)
	return list
}

// cmdLast shows the last messages again.
func (t *talk) cmdLast(rest string) error {
	n, expr := lastShown, rest
	if word, after, _ := strings.Cut(rest, " "); word != "" {
		if i, err := strconv.Atoi(word); err == nil {
			if i < 1 {
				return cmdline.ValueErrorf("/last", cmdline.Cut(word, 24), "expected a number from 1, or an expression")
			}
			n, expr = i, strings.TrimSpace(after)
		}
	}
	var matches *expression
	if expr != "" {
		var err error
		if matches, err = t.expression("/last", expr); err != nil {
			return err
		}
	}
	var lines []string
	var dec eventjson.Decoder
	for _, r := range t.log.lastFirst() {
		if matches != nil && (r.data == nil || !matches.holds(t.dead, r.value(&dec))) {
			continue
		}
		if lines = append(lines, t.recalled(r)); len(lines) == n {
			break
		}
	}
	switch {
	case len(lines) == 0 && matches != nil:
		t.answer("no message matches")
		return nil
	case len(lines) == 0:
		t.answer("nothing yet")
		return nil
	}
	slices.Reverse(lines)
	t.answerStyled(strings.Join(lines, "\n"))
	return nil
}

// recalled returns a message as /last shows it.
func (t *talk) recalled(r recent) string {
	mark := Paint(t.color, Received, "< ")
	if r.dir == proto.Out {
		mark = Paint(t.color, Sent, "> ")
	}
	mark += Paint(t.color, dim, r.at.Format("15:04:05.000 "))
	switch {
	case r.data == nil && r.size > 0:
		return mark + fmt.Sprintf("(%d bytes, too large to be kept)", r.size)
	case r.binary:
		return mark + Dump(r.data)
	}
	return mark + strings.ReplaceAll(Visible(string(r.data)), "\n", "\n  ")
}

// cmdCopy copies a received message to the clipboard of the terminal (OSC 52 of xterm's
// control sequences), the last one or the Nth last.
func (t *talk) cmdCopy(rest string) error {
	n := 1
	if rest != "" {
		var err error
		if n, err = strconv.Atoi(rest); err != nil || n < 1 {
			return cmdline.ValueErrorf("/copy", cmdline.Cut(rest, 24), "expected a number from 1")
		}
	}
	if !t.terminal {
		return cmdline.Usagef("/copy requires a terminal")
	}
	for _, r := range t.log.lastFirst() {
		if r.dir == proto.Out {
			continue
		}
		if n--; n > 0 {
			continue
		}
		if r.data == nil && r.size > 0 {
			return cmdline.Usagef("the message has %d bytes: too large to be kept", r.size)
		}
		t.ed.Post([]byte("\x1b]52;c;" + base64.StdEncoding.EncodeToString(r.data) + "\a" +
			fmt.Sprintf("%d bytes copied, if the terminal allows that\n", len(r.data))))
		return nil
	}
	return cmdline.Usagef("there is no such message")
}
