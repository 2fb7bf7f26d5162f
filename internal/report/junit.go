package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// JUnit reports conform to both of two schemas: that of Apache Ant's tasks junit and
// junitreport (windyroad/JUnit-Schema, JUnit.xsd) and that of Jenkins (xunit-plugin,
// junit-10.xsd). A case has no output there, so the events that matched are in the
// output of the suite.
type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Package    string          `xml:"package,attr"`
	ID         int             `xml:"id,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        junitText       `xml:"system-out"`
	Err        junitText       `xml:"system-err"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitSkipped `xml:"skipped"`
	Error   *junitProblem `xml:"error"`
	Failure *junitProblem `xml:"failure"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

type junitText struct {
	Text string `xml:",cdata"`
}

// writeJUnit writes --report junit=FILE.
func writeJUnit(w io.Writer, r *Run) error {
	s := junitSuite{
		Name: r.Name, Package: "hark",
		Tests: len(r.Cases), Failures: r.Count(Failed), Errors: r.Count(Broken), Skipped: r.Count(Skipped),
		Time: decimal(r.Seconds), Timestamp: r.Started.Format("2006-01-02T15:04:05"), Hostname: "localhost",
		Properties: []junitProperty{
			{"hark.version", r.Version}, {"hark.exit_code", fmt.Sprint(r.ExitCode)}, {"hark.ended_by", r.EndedBy},
			{"hark.events", fmt.Sprint(r.Events)}, {"hark.printed", fmt.Sprint(r.Printed)},
		},
		Err: junitText{xmlText(r.Error)},
	}
	var out strings.Builder
	for _, c := range r.Cases {
		s.Cases = append(s.Cases, junitOf(c, r))
		if c.Event != "" {
			fmt.Fprintf(&out, "%s matched after %s s: %s\n", c.Name, decimal(c.Seconds), c.Event)
		}
	}
	s.Out.Text = xmlText(out.String())
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(c Case, r *Run) junitCase {
	out := junitCase{Name: c.Name, Class: strings.ReplaceAll(r.Name, " ", "."), Time: decimal(c.Seconds)}
	problem := &junitProblem{Message: c.Message, Type: c.Condition}
	if c.last() {
		problem.Text = xmlText(c.Message + "\n" + r.lastEvents())
	}
	switch c.Status {
	case Failed:
		out.Failure = problem
	case Broken:
		out.Error = problem
	case Skipped:
		out.Skipped = &junitSkipped{c.Message}
	}
	return out
}

// xmlText removes characters that XML does not allow in a CDATA section and the encoder
// does not remove (XML 1.0, section 2.2); control characters have been removed already.
func xmlText(text string) string {
	return strings.NewReplacer("\uFFFE", "\uFFFD", "\uFFFF", "\uFFFD").Replace(text)
}

// lastEvents returns the last events as text.
func (r *Run) lastEvents() string {
	if len(r.Last) == 0 {
		return "no event came\n"
	}
	var b strings.Builder
	b.WriteString("last events:\n")
	for _, e := range r.Last {
		fmt.Fprintf(&b, "%d (after %s s): %s\n", e.Event, decimal(e.Seconds), e.Text)
	}
	return b.String()
}

func decimal(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }
