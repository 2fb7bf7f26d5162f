package prompt

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
)

// defaultWait is how long /wait waits unless it says otherwise.
const defaultWait = 30 * time.Second

// A waiting is a /wait that has not been met.
type waiting struct {
	when  *expression
	limit time.Duration
	until time.Time
	// since is the earliest time of a message that counts; zero for any time.
	since time.Time
}

// A WaitError is a /wait whose message did not arrive.
type WaitError struct {
	Expr string
	// Limit is how long it waited; 0 if the stream ended before that, with Err.
	Limit time.Duration
	Err   error // nil if the connection was closed
}

func (e *WaitError) Error() string {
	text := "/wait: no message matches " + cmdline.Cut(e.Expr, 200)
	switch {
	case e.Limit > 0:
		return fmt.Sprintf("%s within %s", text, e.Limit)
	case e.Err != nil:
		return text + ": " + e.Err.Error()
	}
	return text + ": the connection was closed"
}

// waitArguments parses EXPR [D].
func waitArguments(rest string) (expr string, limit time.Duration) {
	if at := strings.LastIndexByte(rest, ' '); at >= 0 {
		if d, err := time.ParseDuration(rest[at+1:]); err == nil && d > 0 {
			return strings.TrimSpace(rest[:at]), d
		}
	}
	return rest, defaultWait
}

// takes reports whether a /wait with these arguments takes a message.
func (t *talk) takes(rest string, e said) bool {
	expr, _ := waitArguments(rest)
	when, err := t.expression("/wait", expr)
	if err != nil {
		return false
	}
	dec := eventjson.Decoder{Limit: valueMemory * t.MaxValue}
	return when.holds(t.dead, message{data: e.data, binary: e.binary}.value(&dec))
}

// cmdWait waits for a message before the next line is run. In a script it takes the
// first message since the start that matches and that no /wait has taken, so that it
// does not matter whether an answer arrives before the line or after it. At a terminal,
// where earlier messages have been read, it is the first since a message was typed.
func (t *talk) cmdWait(rest string) error {
	expr, limit := waitArguments(rest)
	when, err := t.expression("/wait", expr)
	if err != nil {
		return err
	}
	t.log.line("/wait " + rest)
	now := time.Now()
	w := &waiting{when: when, limit: limit, until: now.Add(limit)}
	if t.typedByHand() {
		w.since = cmp.Or(t.spoke, now)
	}
	t.waiting = w
	d := &t.dialog
	d.mu.Lock()
	d.wait = w
	d.mu.Unlock()
	signal(d.changed)
	if t.ed != nil {
		t.ed.SetPrompt(t.promptText())
	}
	if t.held && !t.typedByHand() {
		t.giveUpWaiting()
	}
	return nil
}

// giveUpWaiting ends a script that waits although there is no connection any more,
// unless its message is among those that have arrived.
func (t *talk) giveUpWaiting() {
	w := t.waiting
	t.dialog.mu.Lock()
	t.dialog.checked = func() {
		if t.waiting == w && t.held {
			t.quit(t.unmet(nil))
		}
	}
	t.dialog.mu.Unlock()
	signal(t.dialog.changed)
}

// waited ends a /wait: err is nil when its message has arrived.
func (t *talk) waited(w *waiting, err error) {
	if t.waiting != w {
		return
	}
	t.stopWaiting()
	if err != nil {
		if !t.typedByHand() {
			t.quit(err)
			return
		}
		t.printError(err)
	}
	for len(t.typedMeanwhile) > 0 && t.waiting == nil {
		l := t.typedMeanwhile[0]
		t.typedMeanwhile = t.typedMeanwhile[1:]
		t.typed(l)
	}
}

func (t *talk) stopWaiting() {
	t.waiting = nil
	t.dialog.mu.Lock()
	t.dialog.wait = nil
	t.dialog.mu.Unlock()
	if t.ed != nil {
		t.ed.SetPrompt(t.promptText())
	}
}

// unmet returns the error for a script that ended with err in a /wait; err otherwise.
func (t *talk) unmet(err error) error {
	if t.waiting == nil || t.typedByHand() {
		return err
	}
	return &WaitError{Expr: t.waiting.when.String(), Err: err}
}

// met ends a /wait.
func (t *talk) met(w *waiting) {
	d := &t.dialog
	d.mu.Lock()
	if d.wait == w {
		d.wait = nil
	}
	d.mu.Unlock()
	t.post(func() { t.waited(w, nil) })
}
