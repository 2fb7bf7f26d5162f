package drogue

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/frame"
)

// publishEach publishes numbered events from first to last, each of a different device.
func (b *bench) publishEach(first, last int) {
	for n := first; n <= last; n++ {
		b.publishDrogue("public-app", measure(fmt.Sprintf("dev-%d", n%9), "c", fmt.Sprint(n)))
	}
}

// leave closes the connection and waits until the server has noticed.
func leave(c *emulatortest.Client) {
	c.T.Helper()
	c.Send(frame.OpClose, "")
	c.WantClose(frame.StatusNone, "")
	synctest.Wait()
}

func sorted(lists ...[]string) []string { return slices.Sorted(slices.Values(slices.Concat(lists...))) }

func numbered(first, last int) (ns []string) {
	for n := first; n <= last; n++ {
		ns = append(ns, fmt.Sprint(n))
	}
	return sorted(ns)
}

// Drogue checklist 8: every anonymous consumer gets all events since it joined.
func TestDrogueAnonymous(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		b.publishEach(1, 5)
		one, two := b.Dial("/drogue/public-app"), b.Dial("/drogue/public-app")
		b.publishEach(6, 20)
		for _, c := range []*emulatortest.Client{one, two} {
			if got := sorted(c.Data()); !slices.Equal(got, numbered(6, 20)) {
				t.Errorf("got %v", got)
			}
		}
		leave(one)
		b.publishEach(21, 25)
		if got := b.Dial("/drogue/public-app").Data(); got != nil {
			t.Errorf("a new anonymous consumer got %v", got)
		}
		topic := b.drogue.apps["public-app"].topic
		topic.mu.Lock()
		defer topic.mu.Unlock()
		if n := len(topic.groups); n != 2 {
			t.Errorf("%d groups for two consumers", n)
		}
	})
}

// Drogue checklist 8: a group shares events by the partition of their sender; a
// sender's events stay in order, and more members than partitions get nothing.
func TestDrogueGroup(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		var members []*emulatortest.Client
		for range 4 {
			members = append(members, b.Dial("/drogue/public-app?group_id=g"))
		}
		other := b.Dial("/drogue/public-app?group_id=h")
		b.publishEach(1, 90)
		var lists [][]string
		idle := 0
		for _, c := range members {
			got := c.Data()
			lists = append(lists, got)
			if got == nil {
				idle++
			}
			last := map[int]int{}
			for _, text := range got {
				var n int
				if _, err := fmt.Sscan(text, &n); err != nil {
					t.Fatal(err)
				}
				if n < last[n%9] {
					t.Errorf("%d came after %d of the same sender", n, last[n%9])
				}
				last[n%9] = n
			}
		}
		if got := sorted(lists...); !slices.Equal(got, numbered(1, 90)) || idle != 1 {
			t.Errorf("%d members without events, together %v", idle, got)
		}
		if got := sorted(other.Data()); !slices.Equal(got, numbered(1, 90)) {
			t.Errorf("another group got %v", got)
		}
	})
	opts := quiet()
	opts.Drogue.Partitions = 1
	inBubble(t, opts, func(b *bench) {
		one, two := b.Dial("/drogue/public-app?group_id=g"), b.Dial("/drogue/public-app?group_id=g")
		b.publishEach(1, 9)
		if a, b := one.Data(), two.Data(); (a == nil) == (b == nil) {
			t.Errorf("one partition was read by two: %v, %v", a, b)
		}
	})
}

// Drogue checklist 8: a named group starts at the end and resumes at its offset, within
// the retention of the log.
func TestDrogueOffsets(t *testing.T) {
	opts := quiet()
	opts.Drogue.Partitions = 1
	opts.Drogue.Retention = 40
	inBubble(t, opts, func(b *bench) {
		b.publishEach(1, 3)
		c := b.Dial("/drogue/public-app?group_id=")
		b.publishEach(4, 6)
		if got := sorted(c.Data()); !slices.Equal(got, numbered(4, 6)) {
			t.Errorf("a new group got %v", got)
		}
		leave(c)
		b.publishEach(7, 12)
		c = b.Dial("/drogue/public-app?group_id=")
		if got := sorted(c.Data()); !slices.Equal(got, numbered(7, 12)) {
			t.Errorf("the group went on with %v", got)
		}
		leave(c)
		b.publishEach(13, 200)
		c = b.Dial("/drogue/public-app?group_id=")
		if got := c.Data(); len(got) < 40 || len(got) > 50 || got[len(got)-1] != "200" {
			t.Errorf("beyond the retention: %v", got)
		}
	})
}

// Drogue checklist 8: a group has an offset in a partition once it has read from it,
// and not before. As measured with the real service and Kafka: of 8 events sent while
// no member was connected, a group that had read nothing got none, and one that had
// read from all partitions got all.
func TestDrogueGroupPlace(t *testing.T) {
	for _, test := range []struct {
		name       string
		before     int // events that are read, each of another device
		least, top int
	}{
		{"nothing was read", 0, 0, 0},
		{"one partition was read", 1, 1, 7},
		{"all partitions were read", 9, 8, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, quiet(), func(b *bench) {
				c := b.Dial("/drogue/public-app?group_id=g")
				b.publishEach(1, test.before)
				if got := c.Data(); len(got) != test.before {
					t.Fatalf("got %v", got)
				}
				leave(c)
				b.publishEach(101, 108)
				got := b.Dial("/drogue/public-app?group_id=g").Data()
				if len(got) < test.least || len(got) > test.top {
					t.Errorf("back in the group: %v", got)
				}
			})
		})
	}
}

// Drogue checklist 8: events of other channels are consumed too, so members of a group
// with different channels lose events.
func TestDrogueGroupChannels(t *testing.T) {
	opts := quiet()
	opts.Drogue.Partitions = 1
	inBubble(t, opts, func(b *bench) {
		c := b.Dial("/drogue/public-app/other?group_id=g")
		b.publishEach(1, 5)
		if got := c.Data(); got != nil {
			t.Errorf("another channel: %v", got)
		}
		leave(c)
		if got := b.Dial("/drogue/public-app/c?group_id=g").Data(); got != nil {
			t.Errorf("events came back: %v", got)
		}
	})
}

// Drogue checklist 8: until partitions are assigned, an anonymous consumer
// misses events, and a group with offsets does not.
func TestDrogueAssignDelay(t *testing.T) {
	opts := quiet()
	opts.Drogue.AssignDelay = 3 * time.Second
	opts.Drogue.Partitions = 1
	inBubble(t, opts, func(b *bench) {
		anonymous := b.Dial("/drogue/public-app")
		b.publishEach(1, 5)
		time.Sleep(4 * time.Second)
		b.publishEach(6, 7)
		if got := sorted(anonymous.Data()); !slices.Equal(got, numbered(6, 7)) {
			t.Errorf("anonymous: %v", got)
		}
		leave(anonymous)

		c := b.Dial("/drogue/public-app?group_id=g")
		time.Sleep(4 * time.Second)
		b.publishEach(11, 12)
		if got := sorted(c.Data()); !slices.Equal(got, numbered(11, 12)) {
			t.Errorf("new group: %v", got)
		}
		leave(c)
		c = b.Dial("/drogue/public-app?group_id=g")
		b.publishEach(21, 25)
		start := time.Now()
		c.WantQuiet(2 * time.Second)
		first := c.Datum()
		if d := time.Since(start); d < 3*time.Second {
			t.Errorf("the first event came after %v", d)
		}
		if got := sorted(c.Data(), []string{first}); !slices.Equal(got, numbered(21, 25)) {
			t.Errorf("back in the group: %v", got)
		}
	})
}

// Drogue checklist 9: after a crash, records read since the last commit are sent again.
func TestDrogueCrash(t *testing.T) {
	opts := quiet()
	opts.Drogue.Partitions = 1
	inBubble(t, opts, func(b *bench) {
		c := b.Dial("/drogue/public-app?group_id=g", emulator.FaultHeader+": crash=6")
		b.publishEach(1, 4)
		time.Sleep(100 * time.Millisecond)
		for range 4 {
			c.Datum()
		}
		c.WantQuiet(6 * time.Second) // a commit
		b.publishEach(5, 6)
		if a, b := c.Datum(), c.Datum(); a != "5" || b != "6" {
			t.Errorf("got %s, %s", a, b)
		}
		c.WantDrop()
		synctest.Wait()
		if got := b.Dial("/drogue/public-app?group_id=g").Data(); !slices.Equal(got, []string{"5", "6"}) {
			t.Errorf("after the crash: %v", got)
		}
	})
}

// A half-open connection keeps its partitions, and consumes their events, until the
// server misses its pongs.
func TestDrogueZombie(t *testing.T) {
	opts := quiet()
	opts.Drogue.Partitions = 1
	inBubble(t, opts, func(b *bench) {
		zombie := b.Dial("/drogue/public-app?group_id=g", emulator.FaultHeader+": silence")
		c := b.Dial("/drogue/public-app?group_id=g")
		b.publishEach(1, 3)
		time.Sleep(9 * time.Second) // ping unanswered at 5 s
		if got := c.Data(); got != nil {
			t.Errorf("with the half-open connection: %v", got)
		}
		c.WantQuiet(10 * time.Second)
		b.publishEach(4, 5)
		if got := c.Data(); !slices.Equal(got, []string{"4", "5"}) {
			t.Errorf("after the zombie: %v", got)
		}
		zombie.Conn.Close()
	})
}
