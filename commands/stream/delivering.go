package stream

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/commands/deliver"
	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// A delivering is a stream whose events go to the destination of --to.
type delivering struct {
	s        *Stream
	delivery *destination.Delivery
	name     string       // of the destination, for messages
	records  bytes.Buffer // of the event at hand, each with NUL at its end
	letters  *os.File     // of --dead-letter, or nil
	extracts deliver.Extracts
	waited   atomic.Int64 // events that had not been submitted when the delivery failed
	gaps     *gaps        // of --to-gaps, or nil
}

// drainGrace is how much longer than the delivery the end of a stream may take.
const drainGrace = time.Second

// deliverBackoff is the wait between two attempts to deliver.
var deliverBackoff = proto.Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}

// OpenDelivery opens the destination of --to, if there is one. Everything that the
// user can get wrong is found before anything is dialed.
func (s *Stream) OpenDelivery() error {
	f := &s.Flags.DeliverFlags
	if !f.Given() {
		return nil
	}
	d, name, err := f.Open(&deliver.Host{
		Program: s.Program, Raw: s.Flags.Raw, CloudEvents: s.Flags.Format == string(output.FormatCloudEvents),
		Watched: s.Watched, Guard: s.guard,
	})
	if err != nil {
		return err
	}
	v := &delivering{s: s, name: name}
	o := destination.Options{
		Name: name, InFlight: f.InFlight, RetryTime: f.RetryTime, Backoff: deliverBackoff,
		Retrying: func(err error, delay time.Duration) {
			s.journal.deliveryFailed(name, err, delay)
			s.Warn("%s: %v; retrying in %s", name, err, delay.Round(100*time.Millisecond))
		},
		Resumed: func() {
			s.journal.delivery("delivery-resumed", name)
			s.Tell("%s: delivering again", name)
		},
		Done:   func(r destination.Record, acknowledged bool) { s.tracking.order.Done(r.Event, acknowledged) },
		Failed: func(err error) { s.cancel(err) },
	}
	if f.DeadLetter != "" {
		if v.letters, err = os.OpenFile(f.DeadLetter, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
			return errors.Join(cmdline.FlagErrorf("--dead-letter", ": %v", err), d.Close())
		}
		o.DeadLetter = v.deadLetter
	}
	v.delivery = destination.New(d, o)
	if f.Gaps {
		v.gaps = &gaps{v: v}
	}
	s.delivering = v
	return nil
}

// deadLetter keeps a record that cannot be delivered.
func (v *delivering) deadLetter(r destination.Record, why error) error {
	letter := struct {
		Time   time.Time       `json:"time"`
		ID     string          `json:"id,omitempty"`
		Reason string          `json:"reason"`
		Data   json.RawMessage `json:"data"`
	}{time.Now().UTC(), r.ID, v.s.Say.String(why.Error()), r.Data}
	if ok, _ := eventjson.Valid(r.Data); !ok {
		letter.Data = eventjson.AppendText(nil, r.Data)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(letter); err != nil {
		return err
	}
	if _, err := v.letters.Write(b.Bytes()); err != nil {
		return err
	}
	v.s.Warn("%s: an event was not delivered, and is in %s: %v", v.name, v.s.Flags.DeadLetter, why)
	return nil
}

// Sink returns what takes the events of the stream: w, or what delivers what w makes of
// them.
func (s *Stream) Sink(w *output.Writer) proto.Sink {
	if s.delivering == nil {
		return s.watched(w)
	}
	s.journal.delivery("delivering", s.delivering.name)
	s.Tell("delivering to %s", s.delivering.name)
	return s.watched(&deliveringSink{s.delivering, w})
}

// A deliveringSink delivers what a Writer makes of events.
type deliveringSink struct {
	*delivering
	w *output.Writer
}

// Event implements proto.Sink.
func (v *deliveringSink) Event(ev *proto.Event) error {
	if v.gaps != nil {
		v.gaps.event(ev.Time)
	}
	err := v.w.Event(ev)
	if ferr := v.w.Flush(); err == nil {
		err = ferr
	}
	var unprinted error
	r := destination.Record{Received: ev.Time, Event: v.s.tracking.number}
	if v.records.Len() > 0 {
		r.ID, r.Type = v.s.identify(ev.Message)
		v.extracts.Set(&r)
	}
	for v.records.Len() > 0 {
		data, rerr := v.records.ReadBytes(0)
		if rerr != nil { // it is not complete: what failed has said so
			break
		}
		r.Data = bytes.Clone(data[:len(data)-1])
		v.s.tracking.order.Part(r.Event)
		if derr := v.delivery.Submit(r); derr != nil {
			return derr
		}
		// What cannot be printed is delivered all the same.
		if v.s.Flags.Print && unprinted == nil {
			_, unprinted = v.s.Stdout.Write(append(data[:len(data)-1], '\n'))
		}
	}
	if unprinted != nil {
		err = output.WriteFailure(unprinted)
	}
	if v.records.Reset(); v.records.Cap() > largeRecord {
		v.records = bytes.Buffer{}
	}
	return err
}

// largeRecord is the size in bytes from which a buffer is not kept for the next event.
const largeRecord = 1 << 20

// identify returns id and CloudEvents type of an event, "" where it has none.
func (s *Stream) identify(m proto.Message) (id, kind string) {
	version := ""
	eventjson.Members(m.Data, func(name, value []byte) bool {
		switch string(name) {
		case "specversion":
			version, _ = eventjson.String(value)
		case "id":
			id, _ = eventjson.String(value)
		case "type":
			kind, _ = eventjson.String(value)
		}
		return true
	})
	if version == "1.0" { // a CloudEvent
		return id, kind
	}
	if s.describe == nil {
		return "", ""
	}
	d := s.describe(m)
	return d.ID, d.Type
}

// Flush implements proto.Sink.
func (v *deliveringSink) Flush() error {
	if v.gaps != nil {
		v.gaps.flush()
	}
	return v.w.Flush()
}

// ExpireDelivery limits what is left of the delivery when ctx has ended.
func (s *Stream) ExpireDelivery(ctx context.Context) (stop func() bool) {
	if s.delivering == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { s.delivering.delivery.Expire(s.Flags.FlushTime) })
}

// Delivered waits for what is in flight when the stream has ended with err, and returns
// how the stream ended. ctx is that of the stream.
func (s *Stream) Delivered(ctx context.Context, err error) error {
	v := s.delivering
	if v == nil {
		return err
	}
	if v.gaps != nil {
		v.gaps.flush()
	}
	failed := v.delivery.Finish(s.Flags.FlushTime, s.Kill)
	if v.letters != nil {
		if cerr := v.letters.Close(); failed == nil && cerr != nil {
			failed = &destination.NotDeliveredError{Destination: "--dead-letter " + s.Flags.DeadLetter, Err: cerr}
		}
	}
	if u, ok := errors.AsType[*proto.UnwrittenError](err); ok {
		err = u.Err
		if failed == nil {
			failed = &destination.NotDeliveredError{Destination: v.name, Err: errors.New("there was no more time")}
		}
	}
	if failed == nil {
		return err
	}
	if n := s.meter.Events(); n > 0 && !ended(err) { // otherwise nobody wants them
		v.waited.Store(int64(n))
		failed = fmt.Errorf("%w; %s waited in the buffer", failed, program.Plural(n, "event"))
	}
	// After a signal, the error may be that of an event for which there was no more time.
	if signal, ok := errors.AsType[*process.SignalError](cmp.Or(context.Cause(ctx), err)); ok {
		s.Warn("%v", failed)
		return signal
	}
	if e := ending.Of(err); !e.Silent && !ending.Is[*destination.NotDeliveredError](err) {
		s.Warn("%s", e.Text) // it would have been the reason for another exit code
	}
	return failed
}

// A deliveryCount are the counters of a destination.
type deliveryCount struct {
	Delivered uint64 `json:"delivered"` // records that the destination has acknowledged
	InFlight  int    `json:"in_flight"` // those that it has not yet
	Retried   uint64 `json:"retried"`   // attempts
	Dead      uint64 `json:"dead"`      // records in the file of --dead-letter
	// Waited are events that were received and not delivered, apart from those in flight.
	// It is known at the end.
	Waited int64 `json:"waited,omitempty"`
}

// counts returns the current counters.
func (v *delivering) counts() *deliveryCount {
	c := v.delivery.Counts()
	return &deliveryCount{c.Delivered, c.InFlight, c.Retried, c.Dead, v.waited.Load()}
}
