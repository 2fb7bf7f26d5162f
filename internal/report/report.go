// Package report writes the result of a stream for CI systems: as JUnit XML, in the
// Test Anything Protocol, and as JSON. Its input must not contain credentials or
// control characters.
package report

import "time"

// A Run is the result of a stream, for CI systems. Its JSON is --report
// json=FILE; the help topic "reports" explains the members.
type Run struct {
	Name     string    `json:"name"`
	Service  string    `json:"service"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	ExitCode int       `json:"exit_code"`
	EndedBy  string    `json:"ended_by"`
	Error    string    `json:"error,omitempty"`
	Events   uint64    `json:"events"`
	Printed  uint64    `json:"printed"`
	Cases    []Case    `json:"cases"`
	Last     []Event   `json:"last_events"`
}

// A Case is one test case: an assertion or another condition, or the stream itself.
type Case struct {
	Name      string `json:"name"`
	Condition string `json:"condition"` // "stream", "expect", …
	Expr      string `json:"expr,omitempty"`
	Status    Status `json:"status"`
	// Seconds is the time to the match, or to the end of the stream.
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"`
	Event   string  `json:"event,omitempty"` // the one that matched
	Near    *Near   `json:"near,omitempty"`
}

// A Near is the value nearest to the expected one.
type Near struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// An Event is one of the last events before the end.
type Event struct {
	Event   uint64  `json:"event"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"`
}

// A Status is the result of a Case.
type Status string

const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Broken  Status = "error" // an error ended the stream
	Skipped Status = "skipped"
)

// last reports whether the last events are written for a case: it has failed.
func (c *Case) last() bool {
	return (c.Status == Failed || c.Status == Broken) && c.Condition != "max-time" && c.Condition != "idle"
}

// Count returns the number of cases with a status.
func (r *Run) Count(status Status) int {
	n := 0
	for _, c := range r.Cases {
		if c.Status == status {
			n++
		}
	}
	return n
}

// Seconds returns a duration in seconds, rounded to milliseconds.
func Seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
