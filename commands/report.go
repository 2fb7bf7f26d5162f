package commands

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/report"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// reportedEvents is how many of the last events a report shows.
const reportedEvents = 5

// reports are those of one run.
type reports struct {
	*stream
	service string
	start   time.Time
	targets []report.Target
}

// openReports finds files that cannot be written before anything is dialled.
func (s *stream) openReports(service string) (*reports, error) {
	r := &reports{stream: s, service: service, start: time.Now()}
	taken := make(map[string]bool)
	for _, text := range s.flags.reports {
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

// reportTarget reads the value of --report.
func reportTarget(text string) (report.Target, error) {
	target, err := report.ParseTarget(text)
	if err != nil {
		return target, cmdline.FlagErrorf("--report", " %q: %v", cmdline.Cut(text, 40), err)
	}
	return target, nil
}

// write writes the reports of a run. A report that cannot be written is an error when
// nothing else was wrong.
func (r *reports) write(e ending, w *output.Writer) (err error) {
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
		if e.code != exitOK || err != nil {
			r.say.error("%v", failure)
			continue
		}
		err = failure
	}
	return err
}

// report puts the report together, without credentials.
func (r *reports) report(e ending, w *output.Writer) *report.Run {
	counts := w.Counts()
	out := &report.Run{
		Name: "hark " + r.service, Service: r.service, Version: version(),
		Started: r.start.UTC(), Seconds: report.Seconds(time.Since(r.start)),
		ExitCode: e.code, EndedBy: cmp.Or(e.condition, "error"), Events: counts.Events, Printed: counts.Printed,
		Last: []report.Event{},
	}
	if e.code != exitOK {
		out.Error = r.safe(e.record())
	}
	out.Cases = r.cases(e.err, w, out)
	for _, ev := range w.Recent() {
		out.Last = append(out.Last, report.Event{Event: ev.Event, Seconds: report.Seconds(ev.After), Text: r.safe(ev.Text)})
	}
	return out
}

// safe makes a text fit to be shown.
func (r *reports) safe(text string) string {
	return console.Lines(r.say.String(text))
}

// cases are the stream itself, each condition in the order of the outcomes, and the
// limits of time. None has failed if and only if the exit code is 0.
func (r *reports) cases(err error, w *output.Writer, run *report.Run) []report.Case {
	all := []report.Case{r.streamCase(err, run)}
	for _, o := range w.Outcomes() {
		all = append(all, r.conditionCase(err, o, run))
	}
	a, _ := errors.AsType[*awaitedError](err)
	for _, limit := range []struct {
		name  string
		d     time.Duration
		ended bool
	}{
		{"idle", r.flags.idle, errors.Is(err, proto.ErrIdle)},
		{"max-time", r.flags.maxTime, errors.Is(err, errMaxTime)},
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

// streamCase is the connection, and all that is no condition.
func (r *reports) streamCase(err error, run *report.Run) report.Case {
	c := report.Case{Name: "stream", Condition: "stream", Status: report.Passed, Seconds: run.Seconds}
	a, awaited := errors.AsType[*awaitedError](err)
	conditions := is[*output.Failed](err) || awaited && len(a.Stream) == 0 && !is[*proto.Failure](err)
	if run.ExitCode != exitOK && !conditions {
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
	a, _ := errors.AsType[*awaitedError](err)
	switch {
	case o.Condition == "fail-if" && o.Met:
		c.Status, c.Message = report.Failed, run.Error
	case o.Met, o.Condition == "fail-if":
	case run.ExitCode != exitOK && (o.Condition == "expect" || a != nil && a.has(o)):
		c.Status, c.Message = report.Failed, r.safe(o.Missing())
		if o.Near.Path != "" {
			c.Near = &report.Near{Path: o.Near.Path, Value: r.safe(o.Near.Value)}
		}
	default:
		c.Status, c.Message = report.Skipped, "the stream ended before: "+run.EndedBy
	}
	return c
}
