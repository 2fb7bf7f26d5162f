package stream

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// A keptDestination acknowledges everything.
type keptDestination struct{ records []destination.Record }

func (d *keptDestination) InFlight() int { return 10 }
func (d *keptDestination) Close() error  { return nil }

func (d *keptDestination) Deliver(_ context.Context, records []destination.Record, _ []error) {
	d.records = append(d.records, records...)
}

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// An event that cannot be printed is delivered all the same, and has its own id.
func TestDeliveredThoughNotPrinted(t *testing.T) {
	d := &keptDestination{}
	s := &Stream{Program: &program.Program{Env: program.Env{Stdout: fullWriter{}}}, Flags: NewFlags()}
	s.Flags.Print = true
	v := &delivering{s: s, delivery: destination.New(d, destination.Options{
		Done: func(r destination.Record, acknowledged bool) { s.tracking.order.Done(r.Event, acknowledged) },
	})}
	w := output.New(&v.records, output.Options{Null: true})
	s.tracking, s.delivering = &tracking{}, v
	err := s.Tracked(t.Context(), &deliveringSink{v, w}).Event(&proto.Event{Message: proto.Message{Data: []byte(`{"specversion":"1.0","ID":"x","id":"7","type":"t"}`)}})
	if _, ok := errors.AsType[*output.WriteError](err); !ok {
		t.Errorf("%v", err)
	}
	if err := v.delivery.Finish(time.Minute, nil); err != nil {
		t.Error(err)
	}
	if c := s.tracking.order.Counts(); c.Open != 0 || c.Acknowledged != 1 {
		t.Errorf("%+v", c)
	}
	if len(d.records) != 1 || d.records[0].ID != "7" || d.records[0].Type != "t" {
		t.Errorf("delivered %+v", d.records)
	}
}
