package output_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// What is printed can be changed on the way; conditions and counters go on.
func TestReshape(t *testing.T) {
	compile := func(expr string) *jq.Filter {
		t.Helper()
		f, err := jq.Compile("--jq", expr, jq.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var b bytes.Buffer
	w := output.New(&b, output.Options{Conditions: []output.Condition{
		output.FailIf(compile(".a == 9")), output.Until(compile(".a == 7")), output.Count(5),
	}})
	event := func(text string) error { return w.Event(&proto.Event{Message: proto.Message{Data: []byte(text)}}) }
	step := func(text string) {
		t.Helper()
		if err := event(text); err != nil {
			t.Fatal(err)
		}
	}
	step(`{"a":1}`)
	if err := w.Reshape(output.Options{Filter: compile(".a"), Null: true}); err != nil {
		t.Fatal(err)
	}
	step(`{"a":2}`)
	if err := w.Reshape(output.Options{Filter: compile(".b")}); err != nil {
		t.Fatal(err)
	}
	step(`{"a":3,"b":"other"}`)
	w.Await(output.Until(compile(".a == 8")))
	if err := w.Reshape(output.Options{Style: output.Style{Pretty: true}}); err != nil {
		t.Fatal(err)
	}
	step(`{"a":7}`)
	if got := len(w.Unmet()); got != 2 {
		t.Errorf("%d conditions are unmet: %v", got, w.Unmet())
	}
	w.Await()
	err := event(`{"a":8}`)
	if e, ok := errors.AsType[output.Ended](err); !ok || e.Condition != "count" {
		t.Errorf("the end is %v", err)
	}
	if err := w.Reshape(output.Options{}); err == nil {
		t.Error("it goes on after its end")
	}
	if got, want := b.String(), "{\"a\":1}\n2\x00\"other\"\n{\n  \"a\": 7\n}\n{\n  \"a\": 8\n}\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got := w.Counts(); got.Events != 5 || got.Printed != 5 {
		t.Errorf("%+v", got)
	}
}

// By one event a failure beats a success, also one that was asked for later.
func TestAwaitOrder(t *testing.T) {
	f, err := jq.Compile("--until", ".", jq.Vars{})
	if err != nil {
		t.Fatal(err)
	}
	w := output.New(&bytes.Buffer{}, output.Options{Conditions: []output.Condition{output.FailIf(f), output.Count(1)}})
	w.Await(output.Until(f))
	err = w.Event(&proto.Event{Message: proto.Message{Data: []byte("1")}})
	if _, ok := errors.AsType[*output.Failed](err); !ok {
		t.Errorf("the end is %v", err)
	}
	var names []string
	for _, o := range w.Outcomes() {
		names = append(names, o.Condition)
	}
	if len(names) != 3 || names[1] != "until" {
		t.Errorf("conditions %v", names)
	}
}
