package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/sequence"
)

// A statusRecord is one line of --status json and --status-file. The help topic
// "status" explains its members.
type statusRecord struct {
	Time    time.Time `json:"time"`
	Status  string    `json:"status"`
	Service string    `json:"service"`
	Attempt int       `json:"attempt"`

	Address     string `json:"address,omitempty"`
	Destination string `json:"destination,omitempty"`
	Error       string `json:"error,omitempty"`
	HTTPStatus  int    `json:"http_status,omitempty"`
	CloseCode   int    `json:"close_code,omitempty"`
	CloseReason string `json:"close_reason,omitempty"`

	RTT     float64 `json:"rtt_seconds,omitempty"`
	Delay   float64 `json:"delay_seconds,omitempty"`
	Retry   int     `json:"retry,omitempty"`
	Retries int     `json:"retries,omitempty"`

	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Filled   *bool     `json:"filled,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Unfilled string    `json:"unfilled,omitempty"`

	Problem  string  `json:"problem,omitempty"`
	Sequence string  `json:"sequence,omitempty"`
	After    *int64  `json:"after,omitempty"`
	Number   *int64  `json:"number,omitempty"`
	Missing  *uint64 `json:"missing,omitempty"`
	Holes    int     `json:"holes,omitempty"`
	Late     int     `json:"late,omitempty"`
	Repeats  int     `json:"repeats,omitempty"`
	Back     int     `json:"steps_back,omitempty"`

	DroppedNow uint64 `json:"dropped_now,omitempty"`
	Messages   int    `json:"messages,omitempty"`
	Text       string `json:"text,omitempty"`

	*statusCounters
	*statusEnd
}

// statusCounters are the counters of a stream.
type statusCounters struct {
	Events     uint64 `json:"events"`  // received
	Printed    uint64 `json:"printed"` // of which something was printed
	Bytes      uint64 `json:"bytes"`   // written to stdout
	Reconnects int    `json:"reconnects"`
	Gaps       int    `json:"gaps"`
	Dropped    uint64 `json:"dropped"` // because stdout was too slow

	*deliveryCount // nil without a destination
}

func (c *statusCounters) String() string {
	done := fmt.Sprintf("%d printed, %s", c.Printed, program.Plural(int(c.Bytes), "byte"))
	if d := c.deliveryCount; d != nil {
		done = fmt.Sprintf("%d delivered, %d in flight, %d retried, %d dead", d.Delivered, d.InFlight, d.Retried, d.Dead)
	}
	return fmt.Sprintf("%s, %s, %s, %s, %d dropped", program.Plural(int(c.Events), "event"), done,
		program.Plural(c.Reconnects, "reconnect"), program.Plural(c.Gaps, "gap"), c.Dropped)
}

// statusEnd is how a stream ended.
type statusEnd struct {
	Condition string `json:"condition,omitempty"`
	ExitCode  int    `json:"exit_code"`
	Hint      string `json:"hint,omitempty"`
}

// A journal counts events of a stream and, if requested, writes status records as JSON.
// It may be used concurrently.
type journal struct {
	service string
	redact  func([]byte) []byte
	written func() output.Counts
	// delivered returns the counters of the destination; nil without one.
	delivered func() *deliveryCount
	// last returns when the last event was received; nil if nobody asks.
	last func() time.Time

	mu       sync.Mutex
	outs     []io.Writer
	file     *os.File       // of --status-file, or nil
	fileOut  io.Writer      // for file, one of outs
	queue    *console.Queue // fileOut, if file may block; or nil
	failed   error          // of writing to file
	attempt  int
	counters statusCounters
	connects int
	state    string // of the connection
	failing  bool   // the destination does not take events
}

// open makes the journal write to FILE too.
func (j *journal) open(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return cmdline.FlagErrorf("--status-file", ": %v", err)
	}
	j.file, j.fileOut = f, f
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		j.queue = console.NewQueue(f, j.lost("--status-file")) // the reader of a FIFO may stop
		j.fileOut = j.queue
	}
	j.outs = append(j.outs, j.fileOut)
	return nil
}

// close closes the file. It returns the first error of it.
func (j *journal) close() error {
	flushed := j.queue == nil || j.queue.Flush(program.FlushTimeout)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	if !flushed && j.failed == nil {
		j.failed = errors.New("nothing reads it, and records are missing in it")
	}
	err := j.file.Close()
	j.file = nil
	if j.failed != nil {
		err = j.failed
	}
	return err
}

// status writes a change of state of the connection.
func (j *journal) status(st proto.Status) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.attempt = st.Attempt
	switch st.State.(type) {
	case proto.Connecting, proto.Connected, proto.Authenticated, proto.Ready, proto.Disconnected, proto.Retrying, proto.Held:
		j.state = st.State.String()
	}
	r := statusRecord{
		Time: st.Time, Status: st.State.String(), Address: st.Address,
	}
	switch state := st.State.(type) {
	case proto.Heartbeat:
		r.RTT = state.RTT.Seconds()
	case proto.Disconnected:
		r.fail(state.Err)
	case proto.Retrying:
		r.fail(state.Err)
		r.Delay, r.Retry, r.Retries = state.Delay.Seconds(), state.Retry, state.Retries
	case proto.Connected:
		j.connects++
		j.counters.Reconnects = j.connects - 1
	case proto.Gap:
		if !state.Filled {
			j.counters.Gaps++
		}
		r.From, r.To, r.Filled, r.Reason = state.From.UTC(), state.To.UTC(), &state.Filled, state.Reason
		r.Unfilled = state.Unfilled
		if state.Counted {
			r.Missing = &state.Missing
		}
		if f := &state.Hole; f.After != f.Number || f.By != "" {
			r.Sequence, r.After, r.Number = f.By, &f.After, &f.Number
		}
	case proto.OutOfSequence:
		f := &state.Finding
		r.From, r.To = f.Since.UTC(), st.Time.UTC()
		r.Problem, r.Sequence, r.After, r.Number = f.Kind.String(), f.By, &f.After, &f.Number
		if f.Kind == sequence.Hole {
			r.Missing = &f.Missing
			j.counters.Gaps++
		}
	case proto.OutOfSequenceSum:
		r.From, r.To, r.Problem, r.Missing = state.From.UTC(), state.To.UTC(), "several", &state.Missing
		r.Holes, r.Late, r.Repeats, r.Back = state.Holes, state.Late, state.Repeats, state.StepsBack
		j.counters.Gaps += state.Holes
	case proto.Unconfirmed:
		r.Messages = state.Messages
	case proto.Dropped:
		j.counters.Dropped = state.Total
		r.DroppedNow, r.statusCounters = state.Events, j.count()
	}
	j.write(r)
}

// fail sets the members for an error.
func (r *statusRecord) fail(err error) {
	if err == nil {
		return
	}
	r.Error = ending.Of(err).Record()
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok {
		r.HTTPStatus = e.Status
	}
	if e, ok := errors.AsType[*proto.CloseError](err); ok {
		r.CloseCode, r.CloseReason = e.Code, e.Reason
	}
}

// count returns the current counters. j.mu must be held.
func (j *journal) count() *statusCounters {
	c, w := j.counters, j.written()
	c.Events, c.Printed, c.Bytes = w.Events, w.Printed, w.Bytes
	if j.delivered != nil {
		c.deliveryCount = j.delivered()
	}
	return &c
}

// delivery writes a turn in the life of the destination, which takes events.
func (j *journal) delivery(status, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failing = false
	j.write(statusRecord{Time: time.Now(), Status: status, Destination: name, statusCounters: j.count()})
}

// deliveryFailed writes that the destination is tried again after delay.
func (j *journal) deliveryFailed(name string, err error, delay time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failing = true
	r := statusRecord{Time: time.Now(), Status: "delivery-failed", Destination: name, Delay: delay.Seconds(), statusCounters: j.count()}
	r.fail(err)
	j.write(r)
}

// counts returns the current counters.
func (j *journal) counts() *statusCounters {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count()
}

// text writes a note or a warning.
func (j *journal) text(kind, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(statusRecord{Time: time.Now(), Status: kind, Text: text})
}

// asked writes the counters on request.
func (j *journal) asked() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(statusRecord{Time: time.Now(), Status: "counters", statusCounters: j.count()})
}

// ended writes the last record.
func (j *journal) ended(e ending.Ending) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := statusRecord{Time: time.Now(), Status: "ended", statusCounters: j.count()}
	r.statusEnd = &statusEnd{Condition: e.Condition, ExitCode: e.Code}
	r.fail(e.Err)
	r.Error = ""
	if !e.Silent {
		r.Error, r.Hint = e.Record(), e.Hint
	}
	j.write(r)
}

// lost returns a function for the record about dropped records.
func (j *journal) lost(file string) func(lines int) []byte {
	return func(lines int) []byte {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.line(statusRecord{Time: time.Now(), Status: "warning", Text: program.Unwritten(file, lines)})
	}
}

// write writes a record. j.mu must be held.
func (j *journal) write(r statusRecord) {
	if len(j.outs) == 0 {
		return
	}
	line := j.line(r)
	for _, w := range j.outs {
		if _, err := w.Write(line); err != nil && w == j.fileOut && j.failed == nil {
			j.failed = err
		}
	}
}

// line returns the line of a record. j.mu must be held.
func (j *journal) line(r statusRecord) []byte {
	r.Time, r.Service, r.Attempt = r.Time.UTC(), j.service, j.attempt
	for _, s := range []*string{&r.CloseReason, &r.Reason, &r.Text, &r.Sequence} {
		*s = console.Line(*s)
	}
	r.Error = console.Lines(r.Error) // one line, and those of an error in an expression
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	return j.redact(b.Bytes())
}

// A statusFileError reports that the file of --status-file is incomplete.
type statusFileError struct{ err error }

func (e *statusFileError) Error() string {
	return "--status-file: " + e.err.Error() + "; the file is not complete"
}
