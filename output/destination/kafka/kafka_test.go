package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hark-cli/hark/output/destination"
)

// cluster starts a broker with the topic t, which has one partition.
func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, c *kfake.Cluster, o Options) *Destination {
	t.Helper()
	o.Brokers = c.ListenAddrs()
	if o.Topic == "" {
		o.Topic = "t"
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// consume returns the records of a partition.
func consume(t *testing.T, c *kfake.Cluster, topic string) (list []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DisableClientMetrics(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for end := c.PartitionInfo(topic, 0).HighWatermark; int64(len(list)) < end; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		list = append(list, fetches.Records()...)
	}
	return list
}

func values(list []*kgo.Record) string {
	var s []string
	for _, r := range list {
		s = append(s, string(r.Value))
	}
	return strings.Join(s, " ")
}

func records(texts ...string) (list []destination.Record) {
	for _, text := range texts {
		list = append(list, destination.Record{Data: []byte(text)})
	}
	return list
}

// deliver makes an attempt and returns the results as text.
func deliver(ctx context.Context, d *Destination, list []destination.Record) (kinds string, results []error) {
	results = make([]error, len(list))
	d.Deliver(ctx, list, results)
	for _, err := range results {
		switch {
		case err == nil:
			kinds += "+"
		case errors.Is(err, destination.ErrNotTried):
			kinds += "-"
		default:
			switch err.(type) {
			case *destination.RefusedError:
				kinds += "R"
			case *destination.FatalError:
				kinds += "F"
			case *destination.TransientError:
				kinds += "T"
			default:
				kinds += "?"
			}
		}
	}
	return kinds, results
}

func produced(code int16) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	}
}

// What the library can retry within an attempt arrives once, in its order.
func TestRetryWithinAttempt(t *testing.T) {
	c := cluster(t)
	c.ControlKey(int16(kmsg.Produce), produced(kerr.NotEnoughReplicas.Code)) // once
	d := open(t, c, Options{})
	if kinds, results := deliver(t.Context(), d, records("1", "2", "3")); kinds != "+++" {
		t.Errorf("%s %v", kinds, results)
	}
	if got := values(consume(t, c, "t")); got != "1 2 3" {
		t.Errorf("received %s", got)
	}
}

// A connection that is lost while the answer is awaited: the broker has the records, and
// gets them again from the library, but keeps them once.
func TestLostAnswer(t *testing.T) {
	c := cluster(t)
	d := open(t, c, Options{})
	if kinds, results := deliver(t.Context(), d, records("1")); kinds != "+" {
		t.Fatal(results)
	}
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, errors.New("connection lost"), true
	})
	if kinds, results := deliver(t.Context(), d, records("2", "3")); kinds != "++" {
		t.Errorf("%s %v", kinds, results)
	}
	if got := values(consume(t, c, "t")); got != "1 2 3" {
		t.Errorf("received %s", got)
	}
}

// An attempt has a limit, though the library would go on, and nothing of it is delivered
// behind the back of the next one.
func TestLimit(t *testing.T) {
	c := cluster(t)
	d := open(t, c, Options{Timeout: 300 * time.Millisecond})
	if kinds, results := deliver(t.Context(), d, records("1")); kinds != "+" {
		t.Fatal(results)
	}
	var away atomic.Bool
	away.Store(true)
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if !away.Load() {
			return nil, nil, false
		}
		return produced(kerr.NotEnoughReplicas.Code)(r)
	})
	kinds, results := deliver(t.Context(), d, records("2", "3"))
	if kinds != "TT" || !strings.Contains(results[0].Error(), "no acknowledgment within 300ms") {
		t.Errorf("%s %v", kinds, results)
	}
	away.Store(false)
	d.o.Timeout = time.Minute
	if kinds, results := deliver(t.Context(), d, records("2", "3")); kinds != "++" {
		t.Errorf("%s %v", kinds, results)
	}
	if got := values(consume(t, c, "t")); got != "1 2 3" {
		t.Errorf("received %s", got)
	}
}

// A broker that never answers does not hold up the end.
func TestSilentBroker(t *testing.T) {
	c := cluster(t)
	d := open(t, c, Options{})
	if kinds, results := deliver(t.Context(), d, records("1")); kinds != "+" {
		t.Fatal(results)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cancel(errors.New("enough"))
		c.SleepControl(func() { <-release })
		return nil, nil, false
	})
	kinds, results := deliver(ctx, d, records("2"))
	close(release)
	if kinds != "T" || results[0].Error() != "enough" {
		t.Errorf("%s %v", kinds, results)
	}
}

func TestRefusals(t *testing.T) {
	c := cluster(t)
	if err := c.CreateTopic("small", 1, map[string]string{"max.message.bytes": "1000"}); err != nil {
		t.Fatal(err)
	}
	d := open(t, c, Options{})

	list := records("1", "2", "3")
	list[1].To = "nowhere"
	if kinds, results := deliver(t.Context(), d, list); kinds != "+--" && kinds != "+R-" {
		t.Errorf("no such topic: %s %v", kinds, results)
	}
	if kinds, results := deliver(t.Context(), d, list[1:]); kinds != "R-" || results[0].Error() != "no such topic (UNKNOWN_TOPIC_OR_PARTITION)" {
		t.Errorf("no such topic: %s %v", kinds, results)
	}

	// The batch is too large, but only one of its records is.
	d.o.Topic = "small"
	list = nil
	for n := range 20 {
		text := fmt.Sprint(n)
		if n == 13 {
			text = strings.Repeat("x", 2000)
		}
		list = append(list, records(text+strings.Repeat(".", 200))...)
	}
	kinds, results := deliver(t.Context(), d, list)
	if kinds != strings.Repeat("+", 13)+"R------" {
		t.Errorf("too large: %s %v", kinds, results)
	}
	kinds, results = deliver(t.Context(), d, list[14:])
	if kinds != "++++++" {
		t.Errorf("behind it: %s %v", kinds, results)
	}
	if got := strings.ReplaceAll(values(consume(t, c, "small")), ".", ""); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 14 15 16 17 18 19" {
		t.Errorf("received %s", got)
	}
}

func TestSASL(t *testing.T) {
	for _, tt := range []struct{ mechanism, password, want string }{
		{"plain", "right", "+"}, {"scram-sha-256", "right", "+"}, {"scram-sha-512", "right", "+"},
		{"plain", "wrong", "F"}, {"scram-sha-256", "wrong", "F"}, {"", "", "T"},
	} {
		c := cluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "right"),
			kfake.Superuser("SCRAM-SHA-256", "u", "right"), kfake.Superuser("SCRAM-SHA-512", "u", "right"))
		if tt.password == "wrong" { // kfake closes the connection, but Kafka answers
			c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
				return resp, nil, true
			})
		}
		var o Options
		if tt.mechanism != "" {
			o.SASL = &SASL{Mechanism: tt.mechanism, User: func(context.Context) (string, string, error) { return "u", tt.password, nil }}
		}
		kinds, results := deliver(t.Context(), open(t, c, o), records("1"))
		if kinds != tt.want || strings.Contains(fmt.Sprint(results), "right") {
			t.Errorf("%s %s: %s %v", tt.mechanism, tt.password, kinds, results)
		}
		if tt.want == "F" && !strings.Contains(results[0].Error(), "authentication failed") {
			t.Errorf("%v", results)
		}
	}
	if _, err := New(Options{SASL: &SASL{Mechanism: "gssapi", User: func(context.Context) (string, string, error) { return "", "", nil }}}); err == nil {
		t.Error("an unknown mechanism is accepted")
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate
	defer server.Close()
	c := cluster(t, kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates}))
	kinds, results := deliver(t.Context(), open(t, c, Options{TLS: &tls.Config{}}), records("1"))
	if kinds != "T" || !strings.Contains(results[0].Error(), "certificate") {
		t.Errorf("untrusted: %s %v", kinds, results)
	}
	kinds, results = deliver(t.Context(), open(t, c, Options{TLS: &tls.Config{InsecureSkipVerify: true}}), records("1"))
	if kinds != "+" {
		t.Errorf("%s %v", kinds, results)
	}
}

func TestNoBroker(t *testing.T) {
	c := cluster(t)
	d := open(t, c, Options{})
	c.Close()
	if kinds, results := deliver(t.Context(), d, records("1", "2")); kinds != "T-" || !strings.Contains(results[0].Error(), "refused") {
		t.Errorf("%s %v", kinds, results)
	}
}

// The binary mode of the Kafka binding, and keys.
func TestRecords(t *testing.T) {
	c := cluster(t)
	d := open(t, c, Options{CloudEvents: true, OwnID: true})
	list := records(
		`{"specversion":"1.0","id":"1","source":"/s é","type":"t","partitionkey":"p","data":{"a":1}}`,
		`{"specversion":"1.0","id":"2","source":"/s","type":"t","datacontenttype":"text/plain","data":"x"}`,
		`[1]`)
	list[1].Key, list[1].ID = "k", "own"
	if kinds, results := deliver(t.Context(), d, list); kinds != "+++" {
		t.Fatalf("%s %v", kinds, results)
	}
	var got []string
	for _, r := range consume(t, c, "t") {
		var s strings.Builder
		s.WriteString(string(r.Key) + "|" + string(r.Value))
		for _, h := range r.Headers {
			s.WriteString("|" + h.Key + "=" + string(h.Value))
		}
		got = append(got, s.String())
	}
	want := []string{
		`p|{"a":1}|ce_id=1|ce_partitionkey=p|ce_source=/s é|ce_specversion=1.0|ce_type=t`,
		`k|x|content-type=text/plain|ce_id=own|ce_source=/s|ce_specversion=1.0|ce_type=t`,
		`|[1]|content-type=application/json`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
