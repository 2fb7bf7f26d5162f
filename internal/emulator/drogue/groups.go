package drogue

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// A topic contains the events of one application as Kafka would: partitions that
// are read by groups of consumers, each partition by one consumer of a group.
// The rules follow drogue-cloud, websocket-integration/src/service.rs, and the
// defaults of librdkafka.
type topic struct {
	mu         sync.Mutex
	partitions []partition
	groups     map[string]*group
	anonymous  int // groups of consumers without a group
	retention  int
	delay      time.Duration // until partitions are assigned
}

type partition struct {
	base    int64 // offset of records[0]
	records []record
}

type record struct {
	event   []byte
	subject string
}

func (p *partition) end() int64 { return p.base + int64(len(p.records)) }

// A group stores the offsets of its members.
type group struct {
	name      string
	anonymous bool
	committed []int64 // by partition; -1 before anything was committed
	members   []*consumer
}

// A consumer is the membership of a connection in its group. Its fields are guarded by
// the topic.
type consumer struct {
	// wake has capacity 1: it signals that there may be records to poll.
	wake chan struct{}

	topic    *topic
	group    *group
	assigned map[int]int64 // partition to next offset
	read     map[int]bool  // partitions read from since they were assigned
	timer    *time.Timer   // of the pending assignment
}

func newTopic(partitions, retention int, delay time.Duration) *topic {
	return &topic{
		partitions: make([]partition, max(partitions, 1)),
		groups:     make(map[string]*group),
		retention:  max(retention, 1),
		delay:      delay,
	}
}

// publish appends an event to the partition of its key.
func (t *topic) publish(key, subject string, event []byte) {
	h := fnv.New32a()
	h.Write([]byte(key))
	t.mu.Lock()
	defer t.mu.Unlock()
	n := int(h.Sum32() % uint32(len(t.partitions)))
	p := &t.partitions[n]
	p.records = append(p.records, record{event, subject})
	// Not at each event, because the rest is moved.
	if over := len(p.records) - t.retention; over > t.retention/4 {
		p.records = slices.Delete(p.records, 0, over)
		p.base += int64(over)
	}
	for _, g := range t.groups {
		for _, c := range g.members {
			if _, ok := c.assigned[n]; ok {
				c.notify()
			}
		}
	}
}

// join adds a new consumer to a group. Without a name it gets its own group, which is
// removed with it.
func (t *topic) join(name string) *consumer {
	t.mu.Lock()
	defer t.mu.Unlock()
	anonymous := name == ""
	if anonymous {
		t.anonymous++
		name = fmt.Sprintf("anonymous.%d", t.anonymous)
	}
	g := t.groups[name]
	if g == nil {
		g = &group{name: name, anonymous: anonymous, committed: make([]int64, len(t.partitions))}
		for i := range g.committed {
			g.committed[i] = -1
		}
		t.groups[name] = g
	}
	c := &consumer{wake: make(chan struct{}, 1), topic: t, group: g}
	g.members = append(g.members, c)
	t.rebalance(g)
	return c
}

// leave removes the consumer from its group. Polled offsets are committed, unless it
// crashed.
func (c *consumer) leave(crashed bool) {
	t := c.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if !crashed {
		c.commit()
	}
	c.unassign()
	c.group.members = slices.DeleteFunc(c.group.members, func(m *consumer) bool { return m == c })
	if len(c.group.members) == 0 && c.group.anonymous {
		delete(t.groups, c.group.name)
		return
	}
	t.rebalance(c.group)
}

// rebalance revokes all partitions of the members of a group and reassigns them, after
// the delay.
func (t *topic) rebalance(g *group) {
	for _, m := range g.members {
		m.commit()
		m.unassign()
	}
	for i, m := range g.members {
		if t.delay <= 0 {
			t.assign(g, m, i, len(g.members))
			continue
		}
		n := len(g.members)
		m.timer = time.AfterFunc(t.delay, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if m.timer != nil {
				t.assign(g, m, i, n)
			}
		})
	}
}

// assign assigns partitions to the ith of n members: at the committed offset, or at the
// end if there is none. The group has no offset in a partition before it has read from
// it.
func (t *topic) assign(g *group, m *consumer, i, n int) {
	m.timer = nil
	m.assigned, m.read = make(map[int]int64), make(map[int]bool)
	for p := i; p < len(t.partitions); p += n {
		offset := g.committed[p]
		if offset < 0 {
			offset = t.partitions[p].end()
		}
		m.assigned[p] = offset
	}
	m.notify()
}

func (c *consumer) unassign() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.assigned, c.read = nil, nil
}

// commit stores the offsets of the consumer.
func (c *consumer) commit() {
	for p := range c.read {
		c.group.committed[p] = c.assigned[p]
	}
}

// autocommit is commit for the owner of the consumer.
func (c *consumer) autocommit() {
	c.topic.mu.Lock()
	defer c.topic.mu.Unlock()
	c.commit()
}

// pollSize is the maximum number of records of one poll.
const pollSize = 256

// poll returns the next records of the assigned partitions, in order within each. It
// does not block.
func (c *consumer) poll() []record {
	t := c.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	var got []record
	for n := range t.partitions {
		offset, ok := c.assigned[n]
		if !ok {
			continue
		}
		p := &t.partitions[n]
		offset = max(offset, p.base) // older records are beyond retention
		some := p.records[offset-p.base:]
		if room := pollSize - len(got); len(some) > room {
			some = some[:room]
			c.notify()
		}
		got = append(got, some...)
		c.assigned[n] = offset + int64(len(some))
		if len(some) > 0 {
			c.read[n] = true
		}
	}
	return got
}

func (c *consumer) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
