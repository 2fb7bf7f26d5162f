// Package kafka delivers records to topics of Kafka. They are acknowledged when all in-sync
// replicas have them.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hark-cli/hark/output/destination"
)

// Options are the settings of a Destination.
type Options struct {
	// Brokers are the addresses, HOST:PORT, of which one must answer.
	Brokers []string
	// Topic is for records that have none of their own.
	Topic string
	// TLS, if not nil, encrypts connections.
	TLS *tls.Config
	// SASL authenticates; nil for none.
	SASL *SASL
	// Dial opens connections, nil for a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// CloudEvents says that records are CloudEvents in JSON format, which are sent in
	// binary mode (CloudEvents Kafka binding 1.0.2, section 3.2).
	CloudEvents bool
	// OwnID says that the id of a record is the user's: it takes the place of the id that a
	// CloudEvent has in itself.
	OwnID bool
	// Timeout limits one attempt; 0 is 30 seconds.
	Timeout time.Duration
}

// A Destination produces records with an idempotent producer. The order is kept for all
// records of a partition, so for all of a key.
type Destination struct {
	o      Options
	opts   []kgo.Opt
	client *kgo.Client     // nil before the first attempt, and after one that had to be cut off
	known  map[string]bool // topics that are there, as of the last attempts
	// room is the size of what is produced at once, in bytes of data.
	room int
}

var _ destination.Destination = (*Destination)(nil)

const (
	// maxRoom keeps a batch below max.message.bytes, whose default is 1,048,588.
	maxRoom = 900_000
	minRoom = 16 << 10
	// overhead is what a record needs beside its data, roughly.
	overhead = 256
	// grace is how long the library has to end an attempt.
	grace = 2 * time.Second
)

// New returns a Destination, which connects at its first attempt.
func New(o Options) (*Destination, error) {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	d := &Destination{o: o, known: make(map[string]bool), room: maxRoom}
	d.opts = []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...),
		kgo.ClientID("hark"),
		kgo.Dialer(d.dial),
		kgo.RequiredAcks(kgo.AllISRAcks()), // the default, but all depends on it
		// As the producer of Kafka does: every consumer can read it.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		// The size of a record is for the broker to judge. What goes out at once is
		// limited by room.
		kgo.ProducerBatchMaxBytes(64 << 20),
		kgo.MaxBufferedRecords(math.MaxInt32),
		// Nothing is sent before all of a call to Deliver is there: it becomes one batch for
		// each partition, so nothing behind a batch that fails is in flight.
		kgo.ManualFlushing(),
		// The library retries until the attempt ends, and drops what the broker has got
		// already. An attempt has to end, even with records of unknown fate.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.ProduceRequestTimeout(10 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.RequestRetries(2),
		kgo.RetryTimeout(10 * time.Second),
		// A retry comes soon, and the end of an attempt is noticed after the wait for it.
		kgo.RetryBackoffFn(func(n int) time.Duration { return min(100*time.Millisecond<<min(n, 4), time.Second) }),
		// A retry waits for it, when a broker was not the leader or had too few replicas.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.DisableClientMetrics(),
	}
	if o.SASL != nil {
		m, err := o.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		d.opts = append(d.opts, kgo.SASL(m))
	}
	if err := kgo.ValidateOpts(d.opts...); err != nil {
		return nil, err
	}
	return d, nil
}

// dial opens a connection to a broker.
func (d *Destination) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := d.o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil || d.o.TLS == nil {
		return conn, err
	}
	config := d.o.TLS.Clone()
	if config.ServerName == "" {
		if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
			config.ServerName = address
		}
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// InFlight implements destination.Destination.
func (*Destination) InFlight() int { return 1000 }

// Close implements destination.Destination.
func (d *Destination) Close() error {
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
	return nil
}

// Deliver implements destination.Destination. It ends with the first part of records of
// which one was not acknowledged.
func (d *Destination) Deliver(ctx context.Context, records []destination.Record, results []error) {
	for i := range results {
		results[i] = destination.ErrNotTried
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, fmt.Errorf("no acknowledgment within %s", d.o.Timeout))
	defer cancel()
	for start := 0; start < len(records); {
		n, err := d.part(ctx, records[start:])
		if n == 0 {
			results[start] = err
			break
		}
		if !d.deliver(ctx, records[start:start+n], results[start:start+n]) {
			break
		}
		start += n
	}
	if !acknowledged(results) {
		clear(d.known) // to find out first what is wrong, before the next attempt
	}
}

// part returns how many records are produced at once, and why it is none.
func (d *Destination) part(ctx context.Context, records []destination.Record) (n int, err error) {
	size := 0
	for i, r := range records {
		if size += len(r.Data) + overhead; i > 0 && size > d.room {
			return i, nil
		}
		topic := d.topic(r)
		if d.known[topic] {
			continue
		}
		if topic == "" {
			return i, &destination.RefusedError{Err: errors.New("the event has no topic")}
		}
		if err := d.look(ctx, topic); err != nil {
			return i, judge(ctx, err)
		}
		d.known[topic] = true
	}
	return len(records), nil
}

func (d *Destination) topic(r destination.Record) string {
	if r.To != "" {
		return r.To
	}
	return d.o.Topic
}

// look asks the brokers for a topic: the library keeps records for a topic that is not
// there, and does not say why there is no connection.
func (d *Destination) look(ctx context.Context, topic string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d.client == nil {
		client, err := kgo.NewClient(d.opts...)
		if err != nil {
			return err
		}
		d.client = client
	}
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = new(topic)
	req.Topics = append(req.Topics, t)
	for try := 0; ; try++ {
		resp, err := req.RequestWith(ctx, d.client)
		if err != nil {
			return err
		}
		if len(resp.Topics) != 1 {
			return errors.New("the broker did not answer for the topic")
		}
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		// A broker that has just started, or a topic that has just been made: not all
		// brokers know of it.
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || try == 3 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliver produces records, and reports whether all were acknowledged. A broker refuses a
// batch as a whole when it is too large: then halves of it are tried, in their order.
func (d *Destination) deliver(ctx context.Context, records []destination.Record, results []error) bool {
	d.produce(ctx, records, results)
	var large []int
	size := 0
	for i, err := range results {
		if errors.Is(err, kerr.MessageTooLarge) {
			large = append(large, i)
			size += len(records[i].Data) + overhead
		}
	}
	if len(large) > 1 {
		d.room = max(min(d.room, size/2), minRoom)
		again := make([]destination.Record, len(large))
		for i, at := range large {
			again[i] = records[at]
			results[at] = destination.ErrNotTried
		}
		answers := make([]error, len(large))
		for i := range answers {
			answers[i] = destination.ErrNotTried
		}
		if half := len(large) / 2; d.deliver(ctx, again[:half], answers[:half]) {
			d.deliver(ctx, again[half:], answers[half:])
		}
		for i, at := range large {
			results[at] = answers[i]
		}
	}
	for i, err := range results {
		results[i] = judge(ctx, err)
	}
	return acknowledged(results)
}

// produce makes one attempt for records, and waits for the answers.
func (d *Destination) produce(ctx context.Context, records []destination.Record, results []error) {
	if ctx.Err() != nil {
		for i := range results {
			results[i] = ctx.Err()
		}
		return
	}
	var all sync.WaitGroup
	all.Add(len(records))
	for i, r := range records {
		d.client.Produce(ctx, d.record(r), func(_ *kgo.Record, err error) {
			results[i] = err
			all.Done()
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	_ = d.client.Flush(ctx) // its error is that of ctx
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C: // such as for a broker that does not answer
		d.client.Close()
		d.client = nil
		clear(d.known)
		<-done
	}
}

// record makes a record of Kafka.
func (d *Destination) record(r destination.Record) *kgo.Record {
	k := &kgo.Record{Topic: d.topic(r), Value: r.Data}
	header := func(name, value string) {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	key := r.Key
	switch {
	case d.o.CloudEvents:
		attributes, body, contentType := destination.BinaryMode(r.Data)
		k.Value = body
		if d.o.OwnID && r.ID != "" && attributes["id"] != "" {
			attributes["id"] = r.ID
		}
		if contentType != "" {
			header("content-type", contentType)
		}
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			header("ce_"+name, attributes[name])
		}
		if key == "" {
			key = attributes["partitionkey"]
		}
	case r.CloudEvent:
		header("content-type", destination.StructuredType)
	}
	if key != "" {
		k.Key = []byte(key)
	}
	return k
}

func acknowledged(results []error) bool {
	return !slices.ContainsFunc(results, func(err error) bool { return err != nil })
}
