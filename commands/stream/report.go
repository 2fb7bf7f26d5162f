package stream

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/report"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// reportedEvents is how many of the last events a report has.
const reportedEvents = 5

// reports are those of one run.
type reports struct {
	*Stream
	service string
	start   time.Time
	targets []report.Target
}

// openReports returns an error for files that cannot be written, before connecting.
func (s *Stream) openReports(service string) (*reports, error) {
	r := &reports{Stream: s, service: service, start: time.Now()}
	taken := make(map[string]bool)
	for _, text := range s.Flags.reports {
		target, err := reportTarget(text)
		if err != nil {
			return nil, err
		}
		target = target.Resolved()
		path := target.Path
		if taken[filepath.Clean(path)] {
			return nil, cmdline.FlagErrorf("--report", ": two reports for the file %s", cmdline.Cut(path, 60))
		}
		taken[filepath.Clean(path)] = true
		if err := target.Check(); err != nil {
			return nil, cmdline.FlagErrorf("--report", " %s: %v", target.Kind, err)
		}
		r.targets = append(r.targets, target)
	}
	return r, nil
}

// reportTarget parses the value of --report.
func reportTarget(text string) (report.Target, error) {
	target, err := report.ParseTarget(text)
	if err != nil {
		return target, cmdline.ValueErrorf("--report", cmdline.Cut(text, 40), "%v", err)
	}
	return target, nil
}

// write writes the reports of a run. A failure to write one is an error unless there is
// another.
func (r *reports) write(e ending.Ending, w *output.Writer) (err error) {
	if len(r.targets) == 0 {
		return nil
	}
	run := r.report(e, w)
	for _, target := range r.targets {
		failure := target.Write(run)
		if failure == nil {
			continue
		}
		failure = fmt.Errorf("report: %w", failure)
		if e.Code != ending.OK || err != nil {
			r.Say.Error("%v", failure)
			continue
		}
		err = failure
	}
	return err
}

// report returns the report, without credentials.
func (r *reports) report(e ending.Ending, w *output.Writer) *report.Run {
	counts := w.Counts()
	out := &report.Run{
		Name: "hark " + r.service, Service: r.service, Version: program.Version(),
		Started: r.start.UTC(), Seconds: report.Seconds(time.Since(r.start)),
		ExitCode: e.Code, EndedBy: cmp.Or(e.Condition, "error"), Events: counts.Events, Printed: counts.Printed,
		Last: []report.Event{},
	}
	if e.Code != ending.OK {
		out.Error = r.safe(e.Record())
	}
	out.Cases = r.cases(e.Err, w, out)
	for _, ev := range w.Recent() {
		out.Last = append(out.Last, report.Event{Event: ev.Event, Seconds: report.Seconds(ev.After), Text: r.safe(ev.Text)})
	}
	return out
}

// safe removes credentials and control characters from a text.
func (r *reports) safe(text string) string {
	return console.Lines(r.Say.String(text))
}

// cases returns the stream itself, each condition in the order of the outcomes, and the
// time limits. All pass if and only if the exit code is 0.
func (r *reports) cases(err error, w *output.Writer, run *report.Run) []report.Case {
	all := []report.Case{r.streamCase(err, run)}
	for _, o := range w.Outcomes() {
		all = append(all, r.conditionCase(err, o, run))
	}
	a, _ := errors.AsType[*unmetError](err)
	for _, limit := range []struct {
		name  string
		d     time.Duration
		ended bool
	}{
		{"idle", r.Flags.idle, errors.Is(err, proto.ErrIdle)},
		{"max-time", r.Flags.MaxTime, errors.Is(err, ending.ErrMaxTime)},
	} {
		if limit.d == 0 {
			continue
		}
		c := report.Case{
			Name: fmt.Sprintf("--%s %s", limit.name, limit.d), Condition: limit.name, Status: report.Passed, Seconds: run.Seconds,
		}
		if limit.ended && a != nil {
			c.Status = report.Failed
			c.Message, _, _ = strings.Cut(run.Error, "\n")
		}
		all = append(all, c)
	}
	return all
}

// streamCase returns the case of the stream: the connection, and everything that is not
// a condition.
func (r *reports) streamCase(err error, run *report.Run) report.Case {
	c := report.Case{Name: "stream", Condition: "stream", Status: report.Passed, Seconds: run.Seconds}
	a, unmet := errors.AsType[*unmetError](err)
	conditions := ending.Is[*output.Failed](err) || unmet && len(a.Stream) == 0 && !ending.Is[*proto.Failure](err)
	if run.ExitCode != ending.OK && !conditions {
		c.Status, c.Message = report.Broken, run.Error
	}
	return c
}

func (r *reports) conditionCase(err error, o output.Outcome, run *report.Run) report.Case {
	c := report.Case{
		Name: r.safe(o.Label()), Condition: o.Condition, Expr: r.safe(o.Expr),
		Status: report.Passed, Seconds: run.Seconds,
	}
	if o.Met && o.Condition != "count" {
		c.Seconds, c.Event = report.Seconds(o.After), r.safe(o.Event)
	}
	a, _ := errors.AsType[*unmetError](err)
	switch {
	case o.Condition == "fail-if" && o.Met:
		c.Status, c.Message = report.Failed, run.Error
	case o.Met, o.Condition == "fail-if":
	case run.ExitCode != ending.OK && (o.Condition == "expect" || a != nil && a.has(o)):
		c.Status, c.Message = report.Failed, r.safe(o.Missing())
		if o.Near.Path != "" {
			c.Near = &report.Near{Path: o.Near.Path, Value: r.safe(o.Near.Value)}
		}
	default:
		c.Status, c.Message = report.Skipped, "the stream ended before: "+run.EndedBy
	}
	return c
}
