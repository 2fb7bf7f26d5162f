package stream

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// A gap is delivered behind the events before it, which may still wait, and in front of
// those after it; if none comes, it is delivered all the same.
func TestGapsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &keptDestination{}
		s := &Stream{
			Program: &program.Program{Env: program.Env{}, Say: console.NewPrinter(io.Discard)}, Flags: NewFlags(), RunID: "r",
		}
		v := &delivering{s: s, delivery: destination.New(d, destination.Options{})}
		v.gaps = &gaps{v: v}
		s.tracking, s.delivering = &tracking{}, v
		sink := s.Tracked(t.Context(), &deliveringSink{v, output.New(&v.records, output.Options{Null: true})})
		start := time.Now()
		at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
		event := func(seconds int, text string) {
			if err := sink.Event(&proto.Event{Message: proto.Message{Data: []byte(text), Time: at(seconds)}}); err != nil {
				t.Error(err)
			}
		}
		flush := func() {
			if err := sink.Flush(); err != nil {
				t.Error(err)
			}
		}
		event(1, "1")
		v.gaps.report(proto.Gap{From: at(3), To: at(5), Reason: "<lost>"})
		event(2, "2") // it had waited
		event(6, "6")
		v.gaps.report(proto.Gap{From: at(7), To: at(8)})
		flush()
		v.gaps.report(proto.Gap{From: at(9), To: at(10)}) // nothing follows
		synctest.Wait()
		if err := v.delivery.Finish(time.Minute, nil); err != nil {
			t.Error(err)
		}
		var got []string
		for _, r := range d.records {
			if r.Type == gapType && r.CloudEvent {
				got = append(got, r.ID)
			} else {
				got = append(got, string(r.Data))
			}
		}
		if want := []string{"1", "2", "r-gap-1", "6", "r-gap-2", "r-gap-3"}; !slices.Equal(got, want) {
			t.Errorf("delivered %q, want %q", got, want)
		}
		var e struct {
			ID, Type string
			Data     struct{ Reason string }
		}
		if err := json.Unmarshal(d.records[2].Data, &e); err != nil || e.ID != "r-gap-1" || e.Type != gapType || e.Data.Reason != "<lost>" {
			t.Errorf("%s: %v", d.records[2].Data, err)
		}
		if strings.Contains(string(d.records[4].Data), "reason") {
			t.Errorf("%s", d.records[4].Data)
		}
	})
}
