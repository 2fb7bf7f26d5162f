package proto

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/proto/frame"
)

// Batches of one small message each share their room while they wait, and nothing
// of them is lost or counted twice.
func TestQueueKeepsSmallBatchesTogether(t *testing.T) {
	free := wsconn.NewPool(1)
	q := newQueue(1<<20, OverflowBlock, free)
	const n = 10_000
	var want []string
	for i := range n {
		text := fmt.Sprintf("%d%s", i, strings.Repeat("x", i%300))
		if i%50 == 0 {
			text = strings.Repeat("y", 100_000) // more than a batch has room for
		}
		want = append(want, text)
		b := free.Get(&wsconn.Batch{})
		b.Data = append(b.Data, text...)
		b.Entries = append(b.Entries,
			wsconn.Entry{Op: frame.OpPing, Own: []byte("p")},
			wsconn.Entry{Start: 0, End: len(b.Data), Op: frame.OpText, Event: true})
		b.Events = 1
		q.put(b)
		if i%1000 == 999 { // the sink takes a few
			for range 3 {
				b, _ := q.take()
				check(t, b, &want)
				q.done(b.Weight, b.Events)
			}
		}
	}
	if len(q.items)-q.old > n/10 {
		t.Errorf("%d batches wait for %d messages", len(q.items)-q.old, n)
	}
	q.end()
	for {
		b, ended := q.take()
		if ended {
			break
		}
		check(t, b, &want)
		q.done(b.Weight, b.Events)
	}
	if len(want) != 0 || q.bytes != 0 || q.events != 0 {
		t.Errorf("left: %d messages, %d bytes, %d events", len(want), q.bytes, q.events)
	}
}

func check(t *testing.T, b *wsconn.Batch, want *[]string) {
	t.Helper()
	events := 0
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Op.Control() {
			if string(b.Payload(e)) != "p" {
				t.Fatalf("a ping with %q", b.Payload(e))
			}
			continue
		}
		events++
		if got := string(b.Payload(e)); got != (*want)[0] {
			t.Fatalf("got %.20q, want %.20q", got, (*want)[0])
		}
		*want = (*want)[1:]
	}
	if events != b.Events {
		t.Fatalf("%d events, counted %d", events, b.Events)
	}
}

// Empty messages need memory too, and count.
func TestQueueCountsEmptyMessages(t *testing.T) {
	free := wsconn.NewPool(1)
	q := newQueue(1<<20, OverflowBlock, free)
	n := 0
	for ; !q.full(); n++ {
		b := free.Get(&wsconn.Batch{})
		b.Entries = append(b.Entries, wsconn.Entry{Op: frame.OpText, Event: true})
		b.Events = 1
		q.put(b)
		if n > 1<<20 {
			t.Fatal("it is never full")
		}
	}
	if n < 1000 {
		t.Errorf("full with %d empty messages", n)
	}
}

// A batch is rarely full. Its unused rest is memory too, which the buffer limits.
func TestQueueCountsRoom(t *testing.T) {
	free := wsconn.NewPool(1)
	q := newQueue(8<<20, OverflowBlock, free)
	room := 0
	for !q.full() {
		b := free.Get(&wsconn.Batch{})
		for range 250 {
			start := len(b.Data)
			b.Data = append(b.Data, strings.Repeat("x", 250)...)
			b.Entries = append(b.Entries, wsconn.Entry{Start: start, End: len(b.Data), Op: frame.OpText, Event: true})
		}
		b.Events = 250
		room += b.Room()
		q.put(b)
	}
	if spare := room - q.limit; spare > 2*wsconn.BatchSize {
		t.Errorf("full with %d bytes more than the limit", spare)
	}
}

// A sink that takes its time may have more of it than the closing handshake, hears when
// nothing more will come, and what it has not taken at the end is known exactly.
func TestSinkTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.text("a", "b", "c", "d", "e")
			p.untilClose()
		}}
		ctx, cancel := canceled(errSignal)
		time.AfterFunc(time.Minute, cancel)
		over := make(chan struct{})
		o := testOptions(nw)
		o.Meter = &Meter{}
		o.SinkTimeout = time.Hour
		o.Draining = func() { time.AfterFunc(30*time.Minute, func() { close(over) }) }
		if n := o.Meter.Events() + o.Meter.Bytes(); n != 0 {
			t.Errorf("%d before the run", n)
		}
		taken := 0
		sink := sinkFunc(func(*Event) error {
			if taken == 2 {
				<-over
				return errSink
			}
			taken++
			return nil
		})
		time.AfterFunc(time.Second, func() {
			if n := o.Meter.Bytes(); n == 0 {
				t.Error("nothing waits")
			}
		})
		start := time.Now()
		if err := Run(ctx, testService, sink, o); err != errSink {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d < 31*time.Minute || d > 32*time.Minute {
			t.Errorf("ended after %s", d)
		}
		if n := o.Meter.Events(); n != 3 {
			t.Errorf("%d events were not taken, want 3", n)
		}
		nw.wg.Wait()
	})
}

var errSink = errors.New("the sink ends")
