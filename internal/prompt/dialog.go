package prompt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// A dialog is what happens without a line being typed: rules answer messages, timers
// send at intervals, and a line waits for a message. Expressions about messages run in
// the goroutine of watch, so that neither a slow expression nor a blocked stdout delays
// anything else.
//
//	proto.Trace ─ notice ─▶ inbox ─▶ watch ─ reply, waited ─▶ loop
type dialog struct {
	mu    sync.Mutex
	inbox messageList
	rules []*rule // replaced, not changed
	wait  *waiting
	eof   bool // no /wait follows
	// checked is to be called by the loop once the messages so far have been looked at.
	checked func()
	// changed wakes watch.
	changed chan struct{}

	// unsent are the messages of rules and timers that have not been passed to the
	// engine.
	unsent atomic.Int64
	// The rest is for the loop.
	timers []*timer
	warned map[string]time.Time // when a warning about a line was last printed
}

// A rule is one /on, a timer one /every.
type (
	rule struct {
		line string
		when *expression
		send *expression
	}
	timer struct {
		line  string
		every time.Duration
		send  *expression
		next  time.Time // zero while there is no connection
	}
)

const (
	// unsentLimit is how many messages of rules and timers may wait to be sent.
	unsentLimit = 1000
	// valueMemory is how much more memory the value of a message may take than the
	// longest message.
	valueMemory = 4
	// warnInterval is the time between two warnings about one line.
	warnInterval = 10 * time.Second
)

// notice passes a message that has arrived to watch. It does not block.
func (t *talk) notice(r proto.FrameRecord) {
	d := &t.dialog
	d.mu.Lock()
	if d.eof && len(d.rules) == 0 && d.wait == nil {
		d.mu.Unlock()
		return
	}
	dropped := d.inbox.add(message{slices.Clone(r.Payload), r.Opcode == frame.OpBinary, r.Time})
	missed := dropped && len(d.rules) > 0
	d.mu.Unlock()
	signal(d.changed)
	if missed {
		t.post(func() { t.complain("/on", "messages arrive faster than the expressions run: some were not looked at") })
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watch applies the rules and the /wait to the messages, until ctx is done.
func (t *talk) watch(ctx context.Context) {
	d := &t.dialog
	dec := eventjson.Decoder{Limit: valueMemory * t.MaxValue}
	var recent messageList // those that no /wait has taken
	var known *waiting
	for {
		d.mu.Lock()
		arrived, rules, wait, checked := d.inbox.items, d.rules, d.wait, d.checked
		d.inbox, d.checked = messageList{}, nil
		d.mu.Unlock()
		if wait != known && wait != nil && recent.take(func(m message) bool {
			return !m.at.Before(wait.since) && wait.when.holds(ctx, m.value(&dec))
		}) {
			t.met(wait)
			known, wait = wait, nil
		} else {
			known = wait
		}
		for _, m := range arrived {
			v := m.value(&dec)
			for _, r := range rules {
				t.apply(ctx, r, v)
			}
			if wait != nil && !m.at.Before(wait.since) && wait.when.holds(ctx, v) {
				t.met(wait)
				wait = nil
				continue
			}
			recent.add(m)
		}
		if checked != nil {
			t.post(checked)
		}
		if len(arrived) > 0 {
			continue
		}
		select {
		case <-d.changed:
		case <-ctx.Done():
			return
		}
	}
}

// apply sends what a rule answers to a message.
func (t *talk) apply(ctx context.Context, r *rule, v any) {
	if !r.when.holds(ctx, v) {
		return
	}
	frames, err := r.send.messages(ctx, v)
	if err != nil {
		t.post(func() { t.complain(r.line, err.Error()) })
	}
	if len(frames) > 0 {
		t.answerWith(r.line, frames)
	}
}

// answerWith has the loop send the messages of a line, unless too many are waiting.
func (t *talk) answerWith(line string, frames []proto.Frame) {
	if n := int64(len(frames)); t.dialog.unsent.Add(n) > unsentLimit {
		t.dialog.unsent.Add(-n)
		t.post(func() {
			t.complain(line, fmt.Sprintf("%s not sent, because %d are waiting to be sent", messages(int(n)), unsentLimit))
		})
		return
	}
	t.post(func() { t.reply(frames) })
}

// complain prints a warning about a line, unless one was printed a moment ago.
func (t *talk) complain(line, text string) {
	now := time.Now()
	if at, ok := t.dialog.warned[line]; ok && now.Sub(at) < warnInterval {
		return
	}
	if t.dialog.warned == nil {
		t.dialog.warned = make(map[string]time.Time)
	}
	t.dialog.warned[line] = now
	t.Warn("%s: %s", cmdline.Cut(line, 100), text)
}

// reply queues the messages of a rule or a timer. Without a connection they are
// dropped: they are for the one that is gone.
func (t *talk) reply(frames []proto.Frame) {
	if !t.up || t.closing {
		t.dialog.unsent.Add(-int64(len(frames)))
		return
	}
	for _, f := range frames {
		t.withhold(f)
		t.queue = append(t.queue, queued{f, true})
		if t.terminal {
			text := Visible(string(f.Payload))
			if f.Opcode == frame.OpBinary {
				text = Dump(f.Payload)
			}
			t.answerStyled(Paint(t.color, Sent, "> ") + strings.ReplaceAll(text, "\n", "\n  "))
		}
	}
}

// forgetReplies removes the messages of rules and timers from the queue, because the
// connection is gone.
func (t *talk) forgetReplies() {
	t.queue = slices.DeleteFunc(t.queue, func(q queued) bool {
		if q.auto {
			t.dialog.unsent.Add(-1)
		}
		return q.auto
	})
	for _, e := range t.dialog.timers {
		e.next = time.Time{}
	}
}

// startTimers starts the timers with a connection.
func (t *talk) startTimers(now time.Time) {
	for _, e := range t.dialog.timers {
		e.next = now.Add(e.every)
	}
}

// waitDialog runs what is due, and returns when it must be called again.
func (t *talk) waitDialog(now time.Time, wait time.Duration) time.Duration {
	for _, e := range t.dialog.timers {
		if e.next.IsZero() {
			continue
		}
		if !now.Before(e.next) {
			e.next = now.Add(e.every)
			frames, err := e.send.messages(t.dead, nil)
			if err != nil {
				t.complain(e.line, err.Error())
			}
			if len(frames) > 0 {
				t.answerWith(e.line, frames)
			}
		}
		wait = min(wait, e.next.Sub(now))
	}
	if w := t.waiting; w != nil {
		left := w.until.Sub(now)
		if left <= 0 {
			t.waited(w, &WaitError{Expr: w.when.String(), Limit: w.limit})
			return 0
		}
		wait = min(wait, left)
	}
	return wait
}

// cmdOn adds a rule, lists the rules, or removes them.
func (t *talk) cmdOn(rest string) error {
	d := &t.dialog
	switch rest {
	case "":
		listLines(t, d.rules, func(r *rule) string { return r.line })
		return nil
	case "off":
		t.setRules(nil)
		t.log.line("/on off")
		return nil
	}
	at := jq.Index(rest, "=>")
	if at < 0 || strings.TrimSpace(rest[at+2:]) == "" {
		return cmdline.Usagef("/on: expected EXPR => JQ, such as .type == \"ping\" => {type: \"pong\"}")
	}
	when, err := t.expression("/on", strings.TrimSpace(rest[:at]))
	if err != nil {
		return err
	}
	send, err := t.expression("/on", strings.TrimSpace(rest[at+2:]))
	if err != nil {
		return err
	}
	t.setRules(append(slices.Clip(d.rules), &rule{"/on " + rest, when, send}))
	t.log.line("/on " + rest)
	return nil
}

func (t *talk) setRules(rules []*rule) {
	t.dialog.mu.Lock()
	defer t.dialog.mu.Unlock()
	t.dialog.rules = rules
}

// cmdEvery adds a timer, lists the timers, or removes them.
func (t *talk) cmdEvery(rest string) error {
	d := &t.dialog
	switch rest {
	case "":
		listLines(t, d.timers, func(e *timer) string { return e.line })
		return nil
	case "off":
		d.timers = nil
		t.log.line("/every off")
		return nil
	}
	text, expr, ok := strings.Cut(rest, "=>")
	every, err := time.ParseDuration(strings.TrimSpace(text))
	if !ok || err != nil || every < time.Millisecond || strings.TrimSpace(expr) == "" {
		return cmdline.Usagef("/every: expected D => JQ, at least 1ms, such as 30s => {type: \"ping\"}")
	}
	send, err := t.expression("/every", strings.TrimSpace(expr))
	if err != nil {
		return err
	}
	e := &timer{line: "/every " + rest, every: every, send: send}
	if t.up {
		e.next = time.Now().Add(every)
	}
	d.timers = append(d.timers, e)
	t.log.line(e.line)
	return nil
}

// listLines prints the lines of rules or timers.
func listLines[T any](t *talk, items []T, line func(T) string) {
	var lines []string
	for _, item := range items {
		lines = append(lines, line(item))
	}
	if len(lines) == 0 {
		lines = []string{"none"}
	}
	t.answer(strings.Join(lines, "\n"))
}
