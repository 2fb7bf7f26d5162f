package proto

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/sequence"
)

// A stream is ready once, after the delay.
func TestReadinessDelay(t *testing.T) {
	r := readiness{delay: time.Second}
	if !r.setLive() || r.setLive() {
		t.Error("a stream becomes live once")
	}
	if !r.due().IsZero() || r.report(noon) {
		t.Error("reported before it was ready")
	}
	if !r.setReady(noon) || r.setReady(noon.Add(time.Hour)) {
		t.Error("a stream becomes ready once")
	}
	if due := r.due(); !due.Equal(noon.Add(time.Second)) || r.report(due.Add(-1)) || !r.report(due) || r.report(due) {
		t.Errorf("not reported once at %s", due)
	}
	if !r.due().IsZero() {
		t.Error("there is more to report")
	}
}

// A gap lasts from the end of the last stream that was ready until the next one is,
// however many connections fail between.
func TestInterruption(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	lost := errors.New("lost")
	var i interruption
	i.connected()
	if gap, ok := i.ready(at(0)); ok {
		t.Errorf("a gap before the first stream: %+v", gap)
	}
	i.lost(at(10), lost)
	i.connected() // and is not ready
	i.connected()
	if gap, ok := i.ready(at(15)); !ok || gap != (Gap{From: at(10), To: at(15), Reason: "lost"}) {
		t.Errorf("gap %+v, %t", gap, ok)
	}

	// A gap that is being filled when the connection is lost stays open.
	i.lost(at(20), lost)
	i.connected()
	i.fill(at(25))
	if gap, ok := i.ready(at(25)); ok {
		t.Errorf("reported before its outcome: %+v", gap)
	}
	i.lost(at(30), errors.New("again"))
	i.connected()
	i.fill(at(35))
	if gap, ok := i.outcome(GapReport{Filled: true}); !ok || gap != (Gap{From: at(20), To: at(35), Reason: "lost", Filled: true}) {
		t.Errorf("filled: %+v, %t", gap, ok)
	}
	if gap, ok := i.outcome(GapReport{From: at(1), To: at(2), Reason: "gone"}); !ok || gap != (Gap{From: at(1), To: at(2), Unfilled: "gone"}) {
		t.Errorf("another one: %+v, %t", gap, ok)
	}
	i.connected()
	if gap, ok := i.outcome(GapReport{Filled: true}); ok {
		t.Errorf("the outcome of no gap: %+v", gap)
	}
}

// numberOf is the number of an event "5" or "a 5".
func numberOf(m Message) (n sequence.Number, ok bool) {
	text := string(m.Data)
	if by, rest, found := strings.Cut(text, " "); found {
		n.By, text = by, rest
	}
	var err error
	n.Value, err = strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// gapOf is a state in short, "" if it has nothing to do with gaps.
func gapOf(s State) string {
	switch s := s.(type) {
	case Gap:
		text := fmt.Sprintf("gap %s-%s", s.From.Format("05"), s.To.Format("05"))
		if s.Filled {
			text += " filled"
		}
		if s.Counted {
			text += fmt.Sprintf(" missing %d", s.Missing)
		}
		if s.Hole.Kind != sequence.InOrder {
			text += fmt.Sprintf(" %s %d-%d", s.Hole.By, s.Hole.After, s.Hole.Number)
		}
		if s.Unfilled != "" {
			text += ": " + s.Unfilled
		}
		return text
	case OutOfSequence:
		return fmt.Sprintf("%s %s %d-%d missing %d", s.Kind, s.By, s.After, s.Number, s.Missing)
	case OutOfSequenceSum:
		return fmt.Sprintf("%d holes (%d missing), %d late, %d repeats, %d steps back", s.Holes, s.Missing, s.Late, s.Repeats, s.StepsBack)
	}
	return ""
}

// Numbers show what was missed over a reconnect.
func TestNumbers(t *testing.T) {
	tests := []struct {
		name  string
		steps []string // numbers; "lost", "ready" with a gap, "end", "complete" is the end after all that was expected
		want  []string
	}{
		{"nothing missed", []string{"1", "2", "lost", "ready", "3"}, []string{"gap 03-04 filled missing 0"}},
		{"events missed", []string{"1", "2", "lost", "ready", "15", "16"}, []string{"gap 03-04 missing 12  2-15"}},
		{"before it is ready", []string{"1", "lost", "2", "ready"}, []string{"gap 02-04 filled missing 0"}},
		{"missed before it is ready", []string{"1", "lost", "4", "ready", "5"}, []string{"gap 02-03 missing 2  1-4"}},
		{"begun anew", []string{"7", "lost", "ready", "1", "2"}, []string{"gap 02-03  7-1: the sequence goes from 7 back to 1"}},
		{"the same again", []string{"7", "lost", "ready", "7", "8"}, []string{"gap 02-03  7-7: the sequence goes from 7 back to 7"}},
		{"without numbers", []string{"x", "lost", "ready", "y"}, []string{"undecided at once"}},
		{"no number follows", []string{"1", "lost", "ready", "x", "end"}, []string{"gap 02-03: no event with a number has arrived since"}},
		{"nothing more is expected", []string{"1", "lost", "ready", "complete"}, nil},
		{"over two losses", []string{"1", "lost", "ready", "lost", "ready", "2"}, []string{"gap 02-05 filled missing 0"}},
		{"never ready again", []string{"1", "lost", "end"}, nil},
		{"within a connection", []string{"1", "3", "2", "3", "3", "1"}, []string{
			"hole  1-3 missing 1", "late  3-2 missing 0", "repeat  3-3 missing 0", "repeat  3-3 missing 0", "step-back  3-1 missing 0"}},
		{"each has gone on", []string{"a 1", "b 1", "lost", "ready", "b 2", "a 2", "a 3"}, []string{"gap 03-04 filled missing 0"}},
		{"one has a hole", []string{"a 1", "b 1", "lost", "ready", "b 5", "a 2"}, []string{"gap 03-04 missing 3 b 1-5"}},
		{"one has not gone on", []string{"a 1", "b 1", "lost", "ready", "a 2", "end"}, []string{"gap 03-04: 1 of 2 sequences have not gone on since"}},
		{"one has not at the next loss", []string{"a 1", "b 1", "lost", "ready", "a 2", "lost", "ready", "a 3", "b 2"}, []string{
			"gap 03-04: 1 of 2 sequences have not gone on since", "gap 06-07 filled missing 0"}},
		{"one has not, complete", []string{"a 1", "b 1", "lost", "ready", "a 2", "complete"}, []string{"gap 03-04: 1 of 2 sequences have not gone on since"}},
	}
	for _, tt := range tests {
		var got []string
		n := numbers{
			report: func(_ time.Time, s State) { got = append(got, gapOf(s)) },
			warn:   func(text string) { got = append(got, "warning: "+text) },
		}
		var from time.Time
		for i, step := range tt.steps {
			now := noon.Add(time.Duration(i+1) * time.Second)
			switch step {
			case "lost":
				from = now
				n.lost(from, errors.New("cut"), now)
			case "ready":
				if !n.await(Gap{From: from, To: now, Reason: "cut"}, now) {
					got = append(got, "undecided at once")
				}
			case "end", "complete":
				n.end(now, step == "complete")
			default:
				if number, ok := numberOf(Message{Data: []byte(step)}); ok {
					n.add([]sequence.Number{number}, now)
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What is found often is reported together, and nothing is left out.
func TestManyNumbers(t *testing.T) {
	var got []string
	n := numbers{report: func(_ time.Time, s State) { got = append(got, gapOf(s)) }}
	now := noon
	take := func(value int64) { n.add([]sequence.Number{{Value: value}}, now) }
	take(1)
	for range maxFindings {
		take(1)
	}
	for _, value := range []int64{1, 5, 4, 2, 3} {
		take(value)
	}
	if len(got) != maxFindings {
		t.Errorf("%d findings were reported one by one", len(got))
	}
	if due := n.due(); !due.Equal(noon.Add(findingInterval)) {
		t.Errorf("due at %s", due)
	}
	now = noon.Add(findingInterval)
	n.tick(now)
	take(3)
	if got := got[maxFindings:]; len(got) != 2 || got[0] != "1 holes (3 missing), 3 late, 1 repeats, 0 steps back" || got[1] != "late  5-3 missing 0" {
		t.Errorf("%q", got)
	}
	if !n.due().IsZero() {
		t.Error("there is more to report")
	}
	for i := range sequence.Max + 1 {
		n.warn = func(text string) { got = append(got, text) }
		n.add([]sequence.Number{{By: fmt.Sprint(i), Value: 1}}, now)
	}
	if last := got[len(got)-1]; !strings.Contains(last, "more than 10000 sequences") || len(got) != maxFindings+3 {
		t.Errorf("%q", got[maxFindings:])
	}
	n.lost(now, nil, now)
	n.await(Gap{From: now, To: now}, now)
	for i := range sequence.Max {
		n.add([]sequence.Number{{By: fmt.Sprint(i + 1), Value: 2}}, now)
	}
	if last := got[len(got)-1]; !strings.Contains(last, ": 10000 sequences go on without a hole, and 2 are not followed any more") {
		t.Errorf("%q", last)
	}
}

// A hole, and what was missed over reconnects, on real connections.
func TestNumbersOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(n int, p *peer) {
			p.text([][]string{{"ready", "1", "4", "make 5 6 8"}, {"ready", "9"}, {"ready", "21", "both 22"}, {"ready"}}[n-1]...)
			time.Sleep(time.Second)
			if n == 4 {
				p.text("done")
				p.untilClose()
			}
		}}
		d := &traceRecorder{}
		o := testOptions(nw)
		o.Trace, o.Number = d.trace(), func(m Message) (sequence.Number, bool) {
			m.Data = bytes.TrimPrefix(m.Data, []byte("both "))
			return numberOf(m)
		}
		if err := Run(testContext(t), making(makingSession{}), &recorder{}, o); err != nil {
			t.Error(err)
		}
		nw.wg.Wait()
		var got []string
		for _, s := range d.statuses {
			if text := gapOf(s.State); text != "" {
				text = regexp.MustCompile(`gap \d\d-\d\d`).ReplaceAllString(text, "gap")
				got = append(got, fmt.Sprintf("%d: %s", s.Attempt, text))
			}
		}
		want := []string{
			"1: hole  1-4 missing 2", "1: hole  6-8 missing 1", "2: gap filled missing 0", "3: gap missing 11  9-21",
			"3: repeat  22-22 missing 0", "4: gap: no event with a number has arrived since",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
