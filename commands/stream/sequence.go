package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/sequence"
)

// A numbering is --sequence and --sequence-by, compiled.
type numbering struct {
	value, by *jq.Program // by may be nil
	values    []any       // of the variables
	needs     *eventjson.Selection
	decoder   eventjson.Decoder
	warn      func(text string)
	warned    map[string]time.Time // by flag
	// seen are events, and numbered those of them that have a number.
	seen, numbered int
}

// numbering compiles the expressions; nil if there are none.
func (f *Flags) numbering(warn func(text string)) (*numbering, error) {
	if f.sequence == "" {
		return nil, nil
	}
	named, err := f.variables()
	if err != nil {
		return nil, err
	}
	n := &numbering{warn: warn, warned: make(map[string]time.Time)}
	o := jq.Options{Timeout: f.jqTimeout, MaxOutputs: 1000, MaxValue: f.MaxMessage()}
	for _, v := range named {
		o.Vars, n.values = append(o.Vars, v.Name()), append(n.values, v.Value())
	}
	if n.value, err = jq.CompileProgram("--sequence", f.sequence, o); err != nil {
		return nil, err
	}
	programs := []*jq.Program{n.value}
	if f.sequenceBy != "" {
		if n.by, err = jq.CompileProgram("--sequence-by", f.sequenceBy, o); err != nil {
			return nil, err
		}
		programs = append(programs, n.by)
	}
	n.needs = jq.NeedsOf(programs...)
	n.decoder.Limit = f.valuesLimit()
	return n, nil
}

// sequenceWarnInterval is the time between two warnings about an expression.
const sequenceWarnInterval = 10 * time.Second

// number returns the number of an event; ok is false if it has none.
func (n *numbering) number(m proto.Message) (number sequence.Number, ok bool) {
	n.seen++
	if number, ok = n.find(m); ok {
		n.numbered++
	}
	return number, ok
}

// end warns of an expression that has found no number at all, which is one that looks in
// the wrong place.
func (n *numbering) end() {
	if n != nil && n.seen > 0 && n.numbered == 0 {
		n.warn(fmt.Sprintf("--sequence: no number in %s", program.Plural(n.seen, "event")))
	}
}

func (n *numbering) find(m proto.Message) (number sequence.Number, ok bool) {
	v, err := n.decoder.DecodeSelected(m.Data, n.needs)
	if err != nil {
		return number, false // which is not JSON
	}
	if n.by != nil {
		name, err := n.eval(n.by, v)
		if err == nil {
			number.By, err = sequence.NameOf(name)
		}
		if err != nil {
			n.complain(n.by, err, m.Time)
			return number, false
		}
	}
	value, err := n.eval(n.value, v)
	switch {
	case err != nil:
	case value == nil:
		return number, false
	default:
		if number.Value, ok = sequence.ValueOf(value); !ok {
			err = fmt.Errorf("expected an integer or null, not %s", proto.Excerpt(fmt.Append(nil, value)))
		}
	}
	if err != nil {
		n.complain(n.value, err, m.Time)
	}
	return number, ok
}

// eval returns the first output of an expression, or nil.
func (n *numbering) eval(p *jq.Program, v any) (any, error) {
	if out, ok := p.One(v); ok {
		return out, nil
	}
	outputs, err := p.Run(context.Background(), v, n.values...)
	if err != nil || len(outputs) == 0 {
		return nil, err
	}
	return outputs[0], nil
}

// complain warns of an expression, at intervals.
func (n *numbering) complain(p *jq.Program, err error, now time.Time) {
	if last, ok := n.warned[p.Key()]; ok && now.Sub(last) < sequenceWarnInterval {
		return
	}
	n.warned[p.Key()] = now
	n.warn(fmt.Sprintf("%s: %v; the event counts in no sequence", p.Key(), err))
}

// A sequenceError ends a stream at an event that is out of sequence, with --on-gap fail.
type sequenceError struct{ text string }

// Exit returns the exit code for lost events.
func (e *sequenceError) Exit() int { return ending.Missed }

func (e *sequenceError) Error() string { return e.text }

// sequenceText says what a finding shows.
func sequenceText(f sequence.Finding) string {
	of := nameText(f)
	switch f.Kind {
	case sequence.Hole:
		return holeText(f, "")
	case sequence.Late:
		return fmt.Sprintf("event %d of the sequence%s arrived late, after %d", f.Number, of, f.After)
	case sequence.Repeat:
		return fmt.Sprintf("event %d of the sequence%s arrived again", f.Number, of)
	}
	return fmt.Sprintf("the sequence%s steps back from %d to %d", of, f.After, f.Number)
}

// holeText says what is missing; when is the time of it, with a space in front, or "".
func holeText(f sequence.Finding, when string) string {
	return fmt.Sprintf("%s: the sequence%s goes from %d to %d", missingText(f.Missing, when), nameText(f), f.After, f.Number)
}

func missingText(n uint64, when string) string {
	if n == 1 {
		return "1 event" + when + " is missing"
	}
	return fmt.Sprintf("%d events%s are missing", n, when)
}

// nameText is the name of the sequence, with a space in front, or "".
func nameText(f sequence.Finding) string {
	if f.By == "" {
		return ""
	}
	return " " + proto.Excerpt([]byte(f.By))
}

// sumText says what many findings show.
func sumText(s proto.OutOfSequenceSum) string {
	return fmt.Sprintf("more events out of sequence: %s (%s), %d late, %s, %s",
		program.Plural(s.Holes, "hole"), missingText(s.Missing, ""), s.Late, program.Plural(s.Repeats, "repeat"), program.Plural(s.StepsBack, "step")+" back")
}

// gapText says what is known about the events of a gap.
func gapText(g proto.Gap) string {
	from, to := g.From.Format(time.RFC3339), g.To.Format(time.RFC3339)
	switch {
	case g.Reason == proto.NotRunning && !g.Counted && g.Unfilled == "":
		what := "may have been lost"
		if g.Filled {
			what = "were fetched"
		}
		return fmt.Sprintf("events between %s and %s, while hark was not running, %s", from, to, what)
	case g.Filled && g.Counted && g.Hole.By == "" && g.Hole.Number != g.Hole.After:
		return fmt.Sprintf("reconnected; no event was missed between %s and %s: the sequence goes on with %d", from, to, g.Hole.Number)
	case g.Filled && g.Counted:
		return fmt.Sprintf("reconnected; no event was missed between %s and %s: each sequence goes on with its next number", from, to)
	case g.Filled:
		return fmt.Sprintf("reconnected; the events between %s and %s were fetched", from, to)
	case g.Counted:
		return "reconnected; " + holeText(g.Hole, " between "+from+" and "+to)
	case g.Unfilled != "":
		return fmt.Sprintf("events between %s and %s may have been lost: %s", from, to, g.Unfilled)
	}
	return fmt.Sprintf("reconnected; events between %s and %s may have been lost", from, to)
}
