package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// reportedEvents is how many of the last events a report shows.
const reportedEvents = 5

// A runReport is what came of a stream, for CI systems. Its JSON is --report
// json=FILE; the help topic "reports" explains the members.
type runReport struct {
	Name     string       `json:"name"`
	Service  string       `json:"service"`
	Version  string       `json:"version"`
	Started  time.Time    `json:"started"`
	Seconds  float64      `json:"seconds"`
	ExitCode int          `json:"exit_code"`
	EndedBy  string       `json:"ended_by"`
	Error    string       `json:"error,omitempty"`
	Events   uint64       `json:"events"`
	Printed  uint64       `json:"printed"`
	Cases    []reportCase `json:"cases"`
	Last     []lastEvent  `json:"last_events"`
}

// A reportCase is one test case: a condition, or the stream itself.
type reportCase struct {
	Name      string       `json:"name"`
	Condition string       `json:"condition"` // "stream", "expect", …
	Expr      string       `json:"expr,omitempty"`
	Status    reportStatus `json:"status"`
	// Seconds is the time to the match, or to the end of the stream.
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"`
	Event   string  `json:"event,omitempty"` // the one that matched
	Near    *near   `json:"near,omitempty"`
}

type near struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

type lastEvent struct {
	Event   uint64  `json:"event"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"`
}

type reportStatus string

const (
	passed  reportStatus = "passed"
	failed  reportStatus = "failed"
	broken  reportStatus = "error"
	skipped reportStatus = "skipped"
)

// last tells whether the last events belong to a case: they say why it failed.
func (c *reportCase) last() bool {
	return (c.Status == failed || c.Status == broken) && c.Condition != "max-time" && c.Condition != "idle"
}

// count counts the cases with a status.
func (r *runReport) count(status reportStatus) int {
	n := 0
	for _, c := range r.Cases {
		if c.Status == status {
			n++
		}
	}
	return n
}

// reportKinds are the forms of a report.
func reportKind(name string) func(io.Writer, *runReport) error {
	switch name {
	case "junit":
		return writeJUnit
	case "tap":
		return writeTAP
	case "json":
		return writeReportJSON
	}
	return nil
}

// A reportFile is one --report.
type reportFile struct {
	path  string
	write func(io.Writer, *runReport) error
}

// reports are those of one run.
type reports struct {
	*stream
	service string
	start   time.Time
	files   []reportFile
}

// openReports finds files that cannot be written before anything is dialled.
func (s *stream) openReports(service string) (*reports, error) {
	r := &reports{stream: s, service: service, start: time.Now()}
	taken := make(map[string]bool)
	for _, text := range s.flags.reports {
		kind, path, err := reportForm(text)
		if err != nil {
			return nil, err
		}
		if link, err := filepath.EvalSymlinks(path); err == nil && !device(path) {
			path = link // which is to stay one
		}
		if taken[filepath.Clean(path)] {
			return nil, cmdline.Usagef("--report: two reports for the file %s", cmdline.Cut(path, 60))
		}
		taken[filepath.Clean(path)] = true
		if err := tryFile(path); err != nil {
			return nil, cmdline.Usagef("--report %s: %v", kind, err)
		}
		r.files = append(r.files, reportFile{path, reportKind(kind)})
	}
	return r, nil
}

// reportForm takes the value of --report apart.
func reportForm(text string) (kind, path string, err error) {
	kind, path, ok := strings.Cut(text, "=")
	if !ok || reportKind(kind) == nil || path == "" {
		return "", "", cmdline.Usagef("--report %q: expected junit=FILE, tap=FILE or json=FILE", cmdline.Cut(text, 40))
	}
	return kind, path, nil
}

// device tells whether path names something of the system, as /dev/stderr does: it
// is written to, also when a regular file is behind it.
func device(path string) bool {
	path, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/"))
}

// replaceable tells whether path can be made anew: a device or a pipe cannot.
func replaceable(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case device(path):
		return false, err
	case errors.Is(err, os.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, &os.PathError{Op: "open", Path: path, Err: errors.New("is a folder")}
	}
	return info.Mode().IsRegular(), nil
}

// tryFile finds out whether a file can be written there, and leaves nothing behind.
func tryFile(path string) error {
	replace, err := replaceable(path)
	if err != nil || !replace {
		return err
	}
	f, err := besides(path)
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// besides makes a file in the folder of path, for a rename to path.
func besides(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = &os.PathError{Op: "open", Path: path, Err: e.Err}
		}
		return nil, err
	}
	return f, nil
}

// writeFile writes a file so that it is there in full or not at all, readable for
// all: other programs collect reports.
func writeFile(path string, data []byte) error {
	replace, err := replaceable(path)
	if err != nil {
		return err
	}
	if !replace {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	f, err := besides(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// write writes the reports of a run that ended with err, which it returns. A report
// that cannot be written matters when nothing else was wrong.
func (r *reports) write(err error, w *output.Writer) error {
	if len(r.files) == 0 {
		return err
	}
	report := r.report(err, w)
	for _, f := range r.files {
		var b bytes.Buffer
		failure := f.write(&b, report)
		if failure == nil {
			failure = writeFile(f.path, b.Bytes())
		}
		if failure == nil {
			continue
		}
		failure = fmt.Errorf("report: %w", failure)
		if code, _ := exitCode(err); code != exitOK {
			r.say.error("%v", failure)
			continue
		}
		err = failure
	}
	return err
}

// report puts the report together, without credentials.
func (r *reports) report(err error, w *output.Writer) *runReport {
	code, _ := exitCode(err)
	counts := w.Counts()
	out := &runReport{
		Name: "hark " + r.service, Service: r.service, Version: version(),
		Started: r.start.UTC(), Seconds: seconds(time.Since(r.start)),
		ExitCode: code, EndedBy: endingOf(err), Events: counts.Events, Printed: counts.Printed,
		Last: []lastEvent{},
	}
	if code != exitOK {
		out.Error = r.safe(errorText(err))
	}
	out.Cases = r.cases(err, w, out)
	for _, e := range w.Recent() {
		out.Last = append(out.Last, lastEvent{e.Event, seconds(e.After), r.safe(e.Text)})
	}
	return out
}

// errorText is what a signal or another silent end says of itself.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return recordText(err)
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// safe makes a text fit to be shown.
func (r *reports) safe(text string) string {
	return console.Lines(r.say.String(text))
}

// cases are the stream itself, each condition in the order of the outcomes, and the
// limits of time. None has failed if and only if the exit code is 0.
func (r *reports) cases(err error, w *output.Writer, run *runReport) []reportCase {
	all := []reportCase{r.streamCase(err, run)}
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
		c := reportCase{
			Name: fmt.Sprintf("--%s %s", limit.name, limit.d), Condition: limit.name, Status: passed, Seconds: run.Seconds,
		}
		if limit.ended && a != nil {
			c.Status = failed
			c.Message, _, _ = strings.Cut(run.Error, "\n")
		}
		all = append(all, c)
	}
	return all
}

// streamCase is the connection, and all that is no condition.
func (r *reports) streamCase(err error, run *runReport) reportCase {
	c := reportCase{Name: "stream", Condition: "stream", Status: passed, Seconds: run.Seconds}
	a, awaited := errors.AsType[*awaitedError](err)
	conditions := is[*output.Failed](err) || awaited && len(a.Stream) == 0 && !is[*proto.Failure](err)
	if run.ExitCode != exitOK && !conditions {
		c.Status, c.Message = broken, run.Error
	}
	return c
}

func (r *reports) conditionCase(err error, o output.Outcome, run *runReport) reportCase {
	c := reportCase{
		Name: r.safe(o.Label()), Condition: o.Condition, Expr: r.safe(o.Expr),
		Status: passed, Seconds: run.Seconds,
	}
	if o.Met && o.Condition != "count" {
		c.Seconds, c.Event = seconds(o.After), r.safe(o.Event)
	}
	a, _ := errors.AsType[*awaitedError](err)
	switch {
	case o.Condition == "fail-if" && o.Met:
		c.Status, c.Message = failed, run.Error
	case o.Met, o.Condition == "fail-if":
	case run.ExitCode != exitOK && (o.Condition == "expect" || a != nil && a.has(o)):
		c.Status, c.Message = failed, r.safe(o.Missing())
		if o.Near.Path != "" {
			c.Near = &near{o.Near.Path, r.safe(o.Near.Value)}
		}
	default:
		c.Status, c.Message = skipped, "the stream ended before: "+run.EndedBy
	}
	return c
}

// endingOf names what ended a stream.
func endingOf(err error) string {
	if c := condition(err); c != "" {
		return c
	}
	return "error"
}
