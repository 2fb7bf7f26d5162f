package stream

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/report"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// reportOf runs events through a stream with these flags and returns its report for an
// end by the cause, unless a condition ends it.
func reportOf(t *testing.T, f *Flags, live bool, cause error, events ...string) (*report.Run, error) {
	t.Helper()
	p := &program.Program{Say: console.NewPrinter(io.Discard)}
	p.Say.Add("hunter2")
	s := &Stream{Program: p, Flags: f, live: live}
	conditions, err := f.conditions(jq.Vars{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	w := output.New(io.Discard, output.Options{Conditions: conditions, Keep: reportedEvents, Start: start, Redact: p.Say.Bytes})
	for i, text := range events {
		ev := &proto.Event{Message: proto.Message{Data: []byte(text), Time: start.Add(time.Second)}, Seq: uint64(i + 1)}
		if err := w.Event(ev); err != nil {
			cause = err
			break
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	err = s.ending(cause, w)
	return (&reports{Stream: s, service: "test", start: start}).report(ending.Of(err), w), err
}

// For each end of a stream: the exit code, and the report. A case has failed if and
// only if the exit code is not 0.
func TestReports(t *testing.T) {
	lost := &proto.Failure{Class: proto.Transient, Connected: true, Err: &proto.LostError{Err: io.ErrUnexpectedEOF}}
	refused := &proto.Failure{Class: proto.Credentials, Err: errors.New("HTTP 403")}
	expect := EndFlags{expect: []string{`.n == 2`}}
	both := EndFlags{expect: []string{`.n == 2`}, until: []string{`.n == 3`}, count: 9, MaxTime: time.Minute, idle: time.Minute}
	one, two, three := `{"n":1}`, `{"n":2}`, `{"n":3}`
	tests := []struct {
		name   string
		flags  EndFlags
		dead   bool // the stream was never live
		cause  error
		events []string
		code   int
		want   string // status of the cases
	}{
		{"nothing asked for", EndFlags{}, false, nil, nil, 0, "stream:passed"},
		{"never live", EndFlags{}, true, nil, nil, 8, "stream:error"},
		{"met", expect, false, nil, []string{one, two}, 0, "stream:passed expect:passed"},
		{"closed", expect, false, nil, []string{one}, 4, "stream:passed expect:failed"},
		{"closed, not live", expect, true, nil, nil, 8, "stream:error expect:failed"},
		{"max-time", both, false, ending.ErrMaxTime, []string{one}, 4, "stream:passed until:failed expect:failed count:failed idle:passed max-time:failed"},
		{"max-time, only until is missing", EndFlags{until: []string{"empty"}, MaxTime: 1}, false, ending.ErrMaxTime, []string{one}, 7, "stream:passed until:failed max-time:failed"},
		{"max-time, nothing is missing", EndFlags{MaxTime: 1, failIf: []string{"empty"}}, false, ending.ErrMaxTime, []string{one}, 0, "stream:passed fail-if:passed max-time:passed"},
		{"max-time, never live", both, true, ending.ErrMaxTime, nil, 7, "stream:error until:failed expect:failed count:failed idle:passed max-time:failed"},
		{"idle", both, false, proto.ErrIdle, []string{one}, 7, "stream:passed until:failed expect:failed count:failed idle:failed max-time:passed"},
		{"idle, nothing is missing", EndFlags{idle: 1}, false, proto.ErrIdle, nil, 0, "stream:passed idle:passed"},
		{"expect first", both, false, nil, []string{one, two}, 0, "stream:passed until:skipped expect:passed count:skipped idle:passed max-time:passed"},
		{"until first", both, false, nil, []string{one, three}, 4, "stream:passed until:passed expect:failed count:skipped idle:passed max-time:passed"},
		{"count first", EndFlags{expect: []string{`.n == 2`}, count: 1}, false, nil, []string{one}, 4, "stream:passed expect:failed count:passed"},
		{"fail-if", EndFlags{failIf: []string{`.n == 2`}, expect: []string{`.n == 2`, `.n == 3`}}, false, nil, []string{one, two}, 4, "stream:passed fail-if:failed expect:passed expect:failed"},
		{"lost", both, false, lost, []string{one}, 8, "stream:error until:skipped expect:failed count:skipped idle:passed max-time:passed"},
		{"refused", both, true, refused, nil, 5, "stream:error until:skipped expect:failed count:skipped idle:passed max-time:passed"},
		{"stdout closed", both, false, output.ErrStdoutClosed, []string{one}, 0, "stream:passed until:skipped expect:skipped count:skipped idle:passed max-time:passed"},
		{"disk full", expect, false, &output.WriteError{Err: syscall.ENOSPC}, nil, 1, "stream:error expect:failed"},
		{"signal", expect, false, &process.SignalError{Signal: syscall.SIGTERM}, []string{one}, 143, "stream:error expect:failed"},
		{"unwritten", expect, false, &proto.UnwrittenError{Events: 1, Err: ending.ErrMaxTime}, nil, 1, "stream:error expect:failed"},
		{"halt", EndFlags{until: []string{`halt`}, expect: []string{`.n == 2`}}, false, nil, []string{one}, 4, "stream:passed until:skipped expect:failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := reportOf(t, &Flags{EndFlags: tt.flags}, !tt.dead, tt.cause, tt.events...)
			if code := ending.Of(err).Code; code != tt.code || r.ExitCode != code {
				t.Errorf("exit code %d, in the report %d, want %d: %v", code, r.ExitCode, tt.code, err)
			}
			var got []string
			for _, c := range r.Cases {
				got = append(got, c.Condition+":"+string(c.Status))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("cases %s, want %s", got, tt.want)
			}
			if bad := r.Count(report.Failed) + r.Count(report.Broken); (bad == 0) != (r.ExitCode == ending.OK) {
				t.Errorf("%d cases have failed, and the exit code is %d", bad, r.ExitCode)
			}
		})
	}
}

// written returns a report in one format.
func written(t *testing.T, r *report.Run, kind string) string {
	t.Helper()
	target := report.Target{Kind: kind, Path: filepath.Join(t.TempDir(), "report")}
	if err := target.Write(r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(target.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Text of a server may contain credentials, markup and control characters.
func TestReportsAreSafe(t *testing.T) {
	nasty := "{\"a\":\"\u009b31m ]]> <x>&\uFFFF hunter2 # SKIP \u202e\\\"\"}"
	f := &Flags{EndFlags: EndFlags{expect: []string{`.a # SKIP`, ".b ==\n\"x\\u0007\"", `.a == "hunter2"`}, MaxTime: 1}}
	r, _ := reportOf(t, f, true, ending.ErrMaxTime, nasty, "\x00\xff")
	forms := map[string]string{}
	for _, kind := range []string{"junit", "tap", "json"} {
		text := written(t, r, kind)
		forms[kind] = text
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s shows a credential:\n%s", kind, text)
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return console.Acts(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("%s holds a control character: %q", kind, text[i:])
		}
	}
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Failure string `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(forms["junit"]), &suites); err != nil {
		t.Errorf("no XML: %v\n%s", err, forms["junit"])
	}
	if s := suites.Suite; s.Tests != 5 || s.Failures != 3 || len(s.Cases) != 5 || !strings.Contains(s.Cases[2].Failure, "]]> <x>&") {
		t.Errorf("suite %+v", s)
	}
	var back report.Run
	if err := json.Unmarshal([]byte(forms["json"]), &back); err != nil || len(back.Last) != 2 {
		t.Errorf("no JSON: %v\n%s", err, forms["json"])
	}
	if !strings.Contains(forms["tap"], `ok 2 - --expect '.a \# SKIP'`+"\n") || !strings.Contains(forms["tap"], `not ok 3 - --expect '.b ==\\n"x\\u0007"'`+"\n") {
		t.Errorf("TAP:\n%s", forms["tap"])
	}
	for i, line := range strings.Split(strings.TrimSpace(forms["tap"]), "\n") {
		if !strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "ok ") && !strings.HasPrefix(line, "not ok ") && i > 1 {
			t.Errorf("line %d of TAP: %s", i+1, line)
		}
	}
}
