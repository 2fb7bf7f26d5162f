package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// documentedRecord is a status record as documented in the help topic "status".
type documentedRecord struct {
	Time        *time.Time `json:"time"`
	Status      *string    `json:"status"`
	Service     *string    `json:"service"`
	Attempt     *int       `json:"attempt"`
	Address     *string    `json:"address"`
	Error       *string    `json:"error"`
	HTTPStatus  *int       `json:"http_status"`
	CloseCode   *int       `json:"close_code"`
	CloseReason *string    `json:"close_reason"`
	RTT         *float64   `json:"rtt_seconds"`
	Delay       *float64   `json:"delay_seconds"`
	Retry       *int       `json:"retry"`
	Retries     *int       `json:"retries"`
	From        *time.Time `json:"from"`
	To          *time.Time `json:"to"`
	Filled      *bool      `json:"filled"`
	Reason      *string    `json:"reason"`
	DroppedNow  *uint64    `json:"dropped_now"`
	Text        *string    `json:"text"`
	Events      *uint64    `json:"events"`
	Printed     *uint64    `json:"printed"`
	Messages    *int       `json:"messages"`
	Bytes       *uint64    `json:"bytes"`
	Reconnects  *int       `json:"reconnects"`
	Gaps        *int       `json:"gaps"`
	Dropped     *uint64    `json:"dropped"`
	Condition   *string    `json:"condition"`
	ExitCode    *int       `json:"exit_code"`
	Hint        *string    `json:"hint"`
}

// members returns the JSON names of the members of a record.
func (r documentedRecord) members() []string {
	var names []string
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			names = append(names, v.Type().Field(i).Tag.Get("json"))
		}
	}
	return names
}

func TestStatusRecords(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	const counters = " events printed bytes reconnects gaps dropped"
	refused := &proto.HandshakeError{Stage: netdial.StageUpgrade, Address: "ws://host/", Status: 503}
	closed := &proto.CloseError{Code: 1012, Reason: "bye\u202e"}
	tests := []struct {
		name    string
		tell    func(j *journal)
		members string // besides time, status, service, attempt
	}{
		{"connecting", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 1, Address: "ws://host/", State: proto.Connecting{}})
		}, "address"},
		{"connected", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 1, Address: "ws://host/", State: proto.Connected{}})
		}, "address"},
		{"authenticated", func(j *journal) { j.status(proto.Status{Time: at, Attempt: 1, State: proto.Authenticated{}}) }, ""},
		{"ready", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 1, Address: "ws://host/", State: proto.Ready{}})
		}, "address"},
		{"heartbeat", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 1, State: proto.Heartbeat{RTT: time.Millisecond}})
		}, "rtt_seconds"},
		{"disconnected", func(j *journal) { j.status(proto.Status{Time: at, Attempt: 1, State: proto.Disconnected{Err: closed}}) },
			"error close_code close_reason"},
		{"retrying", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 1, State: proto.Retrying{Err: refused, Delay: time.Second, Retry: 1, Retries: 3}})
		}, "error http_status delay_seconds retry retries"},
		{"connected", func(j *journal) { j.status(proto.Status{Time: at, Attempt: 2, State: proto.Connected{}}) }, ""},
		{"gap", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 2, State: proto.Gap{From: at, To: at.Add(time.Minute), Reason: "lost"}})
		}, "from to filled reason"},
		{"gap", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 2, State: proto.Gap{From: at, To: at.Add(time.Minute), Filled: true}})
		}, "from to filled"},
		{"unconfirmed", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 2, State: proto.Unconfirmed{Messages: 3}})
		}, "messages"},
		{"dropped", func(j *journal) {
			j.status(proto.Status{Time: at, Attempt: 2, State: proto.Dropped{Events: 3, Total: 7}})
		},
			"dropped_now" + counters},
		{"warning", func(j *journal) { j.text("warning", "hm, tok3n") }, "text"},
		{"counters", func(j *journal) { j.asked() }, strings.TrimSpace(counters)},
		{"ended", func(j *journal) { j.ended(ending.Of(output.Ended{Condition: "count"})) },
			strings.TrimSpace(counters) + " condition exit_code"},
		{"ended", func(j *journal) { j.ended(ending.Of(ending.WithHint(&proto.Failure{Err: refused}, "do"))) },
			"error http_status" + counters + " exit_code hint"},
	}
	var b bytes.Buffer
	say := &console.Printer{}
	say.Add("tok3n")
	j := &journal{service: "drogue", redact: say.Bytes, outs: []io.Writer{&b}, written: func() output.Counts {
		return output.Counts{Events: 10, Printed: 9, Bytes: 800}
	}}
	seen := make(map[string]bool)
	for _, tt := range tests {
		b.Reset()
		tt.tell(j)
		d := json.NewDecoder(&b)
		d.DisallowUnknownFields()
		var r documentedRecord
		line := b.String()
		if err := d.Decode(&r); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		want := strings.Fields("time status service attempt " + tt.members)
		if got := r.members(); !slices.Equal(got, want) || *r.Status != tt.name || *r.Service != "drogue" {
			t.Errorf("%s\n%s: got %q, want %q", line, tt.name, got, want)
		}
		for _, m := range r.members() {
			seen[m] = true
		}
		if strings.Contains(line, "tok3n") || strings.Contains(line, "\u202e") || strings.Count(line, "\n") != 1 {
			t.Errorf("%s shows what it must not", line)
		}
	}
	if c := j.counts(); *c != (statusCounters{Events: 10, Printed: 9, Bytes: 800, Reconnects: 1, Gaps: 1, Dropped: 7}) {
		t.Errorf("counters %+v", c)
	}
	// Each member occurs, and is in the manual.
	b2, err := os.ReadFile("../help/topics.go")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b2)
	all := reflect.TypeFor[documentedRecord]()
	for field := range all.Fields() {
		name := field.Tag.Get("json")
		if !seen[name] {
			t.Errorf("no record had the member %s", name)
		}
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(text) {
			t.Errorf("hark help status does not explain %s", name)
		}
	}
	for _, tt := range tests {
		if !regexp.MustCompile(`(?m)^  (\w+, )?` + tt.name + `\b`).MatchString(text) {
			t.Errorf("hark help status does not explain the status %s", tt.name)
		}
	}
	if len(seen) != all.NumField() {
		t.Errorf("seen %q", slices.Sorted(maps.Keys(seen)))
	}
}

// A file that cannot be written causes one warning at the end, and does not end the
// stream.
func TestStatusFileIsFull(t *testing.T) {
	j := &journal{redact: func(b []byte) []byte { return b }, written: func() output.Counts { return output.Counts{} }}
	if err := j.open(t.TempDir() + "/no/file"); !ending.Is[*cmdline.UsageError](err) {
		t.Errorf("open: %v", err)
	}
	if err := j.open("/dev/full"); err != nil {
		t.Skip(err)
	}
	var b bytes.Buffer
	j.outs = append(j.outs, &b)
	j.text("note", "one")
	j.text("note", "two")
	if err := j.close(); err == nil || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("close: %v, and the other one has\n%s", err, &b)
	}
}

func TestEndedBy(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, "closed"},
		{output.Ended{Condition: "until"}, "until"},
		{proto.ErrIdle, "idle"},
		{&unmetError{Err: ending.ErrMaxTime}, "max-time"},
		{&unmetError{Err: &idleError{}}, "idle"},
		{&unmetError{}, "closed"},
		{output.ErrStdoutClosed, "stdout-closed"},
		{errors.New("x"), ""},
	} {
		if got := ending.Condition(tt.err); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

// An error is one line, the same in each record and in a report, whatever a peer has
// sent.
func TestErrorsInRecords(t *testing.T) {
	err := &proto.Failure{Err: errors.New("status 1011: one\ntwo"), Connected: true}
	var b bytes.Buffer
	j := &journal{redact: func(b []byte) []byte { return b }, outs: []io.Writer{&b}, written: func() output.Counts { return output.Counts{} }}
	j.status(proto.Status{State: proto.Disconnected{Err: err}})
	j.ended(ending.Of(err))
	for d, n := json.NewDecoder(&b), 0; n < 2; n++ {
		var r struct{ Error string }
		if d.Decode(&r) != nil || !strings.HasSuffix(r.Error, "status 1011: one two") {
			t.Errorf("record %d: %q", n, r.Error)
		}
	}
	r, _ := reportOf(t, &Flags{}, true, err)
	if tap := written(t, r, "tap"); !strings.Contains(tap, `status 1011: one two"`) {
		t.Errorf("%v in\n%s", err, tap)
	}
}

// With --status json, the message about dropped lines is a record, too.
func TestLostRecordsAreARecord(t *testing.T) {
	j := &journal{service: "connect", redact: func(b []byte) []byte { return b }, written: func() output.Counts { return output.Counts{} }}
	for lines, want := range map[int]string{
		1: "1 line was not written to stderr, which was not read in time",
		7: "7 lines were not written to stderr, which was not read in time",
	} {
		var r statusRecord
		line := j.lost("stderr")(lines)
		if err := json.Unmarshal(line, &r); err != nil || r.Status != "warning" || r.Text != want || r.Service != "connect" {
			t.Errorf("%s: %v", line, err)
		}
	}
}
