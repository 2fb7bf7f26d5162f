package proto

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hark-cli/hark/proto/frame"
)

// Batches of one small message each share their room while they wait, and nothing
// of them is lost or counted twice.
func TestQueueKeepsSmallBatchesTogether(t *testing.T) {
	free := &pool{batches: make(chan *batch, 1)}
	q := newQueue(1<<20, OverflowBlock, free)
	const n = 10_000
	var want []string
	for i := range n {
		text := fmt.Sprintf("%d%s", i, strings.Repeat("x", i%300))
		if i%50 == 0 {
			text = strings.Repeat("y", 100_000) // more than a batch has room for
		}
		want = append(want, text)
		b := free.get(&batch{})
		b.data = append(b.data, text...)
		b.entries = append(b.entries,
			entry{op: frame.OpPing, own: []byte("p")},
			entry{start: 0, end: len(b.data), op: frame.OpText, event: true})
		b.events = 1
		q.put(b)
		if i%1000 == 999 { // the sink takes a few
			for range 3 {
				b, _ := q.take()
				check(t, b, &want)
				q.done(b.weight, b.events)
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
		q.done(b.weight, b.events)
	}
	if len(want) != 0 || q.bytes != 0 || q.events != 0 {
		t.Errorf("left: %d messages, %d bytes, %d events", len(want), q.bytes, q.events)
	}
}

func check(t *testing.T, b *batch, want *[]string) {
	t.Helper()
	events := 0
	for i := range b.entries {
		e := &b.entries[i]
		if e.op.Control() {
			if string(b.payload(e)) != "p" {
				t.Fatalf("a ping with %q", b.payload(e))
			}
			continue
		}
		events++
		if got := string(b.payload(e)); got != (*want)[0] {
			t.Fatalf("got %.20q, want %.20q", got, (*want)[0])
		}
		*want = (*want)[1:]
	}
	if events != b.events {
		t.Fatalf("%d events, counted %d", events, b.events)
	}
}

// Messages without content take memory too, and count.
func TestQueueCountsEmptyMessages(t *testing.T) {
	free := &pool{batches: make(chan *batch, 1)}
	q := newQueue(1<<20, OverflowBlock, free)
	n := 0
	for ; !q.full(); n++ {
		b := free.get(&batch{})
		b.entries = append(b.entries, entry{op: frame.OpText, event: true})
		b.events = 1
		q.put(b)
		if n > 1<<20 {
			t.Fatal("it is never full")
		}
	}
	if n < 1000 {
		t.Errorf("full with %d empty messages", n)
	}
}

// A batch is rarely filled to the brim. What is left over takes memory too, and
// the buffer is a promise about memory.
func TestQueueCountsRoom(t *testing.T) {
	free := &pool{batches: make(chan *batch, 1)}
	q := newQueue(8<<20, OverflowBlock, free)
	room := 0
	for !q.full() {
		b := free.get(&batch{})
		for range 250 {
			start := len(b.data)
			b.data = append(b.data, strings.Repeat("x", 250)...)
			b.entries = append(b.entries, entry{start: start, end: len(b.data), op: frame.OpText, event: true})
		}
		b.events = 250
		room += b.room()
		q.put(b)
	}
	if spare := room - q.limit; spare > 2*batchSize {
		t.Errorf("full with %d bytes more than the limit", spare)
	}
}
