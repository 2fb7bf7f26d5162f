//go:build unix

package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/hark-cli/hark/internal/natstest"
)

// A broker is one under test.
type broker struct {
	address string // of --to, without the topic
	login   []string
	wrong   []string // a login that is refused
	missing string   // what is said of a topic that does not exist
	// read returns what is in topic "events" or "events.a", in order, each with its key.
	read func(topic string) []string
}

func natsBroker(t *testing.T) *broker {
	server := natstest.New(t, `authorization { user: hark, password: "right:p" }`)
	conn, err := nats.Connect("nats://"+server.Address, nats.UserInfo("hark", "right:p"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	stream := natsStream(t, conn)
	return &broker{
		address: "nats://" + server.Address, login: []string{"--to-user", "env:RIGHT"}, wrong: []string{"--to-user", "env:WRONG"},
		missing: "no stream",
		read: func(topic string) (list []string) {
			for _, m := range natsMessages(t, stream) {
				if m.Subject == topic {
					list = append(list, " "+string(m.Data))
				}
			}
			return list
		},
	}
}

// natsStream makes a stream for all subjects below events.
func natsStream(t *testing.T, conn *nats.Conn) jetstream.Stream {
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events", "events.>"}})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// natsMessages returns what is in a stream.
func natsMessages(t *testing.T, stream jetstream.Stream) (list []*jetstream.RawStreamMsg) {
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= info.State.LastSeq; n++ {
		m, err := stream.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

func kafkaBroker(t *testing.T) *broker {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events", "events.a"), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "hark", "right:p"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &broker{
		address: "kafka://" + c.ListenAddrs()[0],
		login:   []string{"--to-sasl", "SCRAM-SHA-256", "--to-user", "env:RIGHT", "--to-key", ".n"},
		wrong:   []string{"--to-sasl", "oauthbearer", "--to-token", "env:WRONG"},
		missing: "no such topic",
		read: func(topic string) (list []string) {
			for _, r := range kafkaRecords(t, c, topic, kgo.SASL(scram.Auth{User: "hark", Pass: "right:p"}.AsSha256Mechanism())) {
				list = append(list, string(r.Key)+" "+string(r.Value))
			}
			return list
		},
	}
}

// Events arrive at brokers, what is refused ends hark with 10, and no credential is seen.
func TestDeliverBroker(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *broker{"nats": natsBroker, "kafka": kafkaBroker} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			folder := t.TempDir()
			var numbers bytes.Buffer
			for i := range 5 {
				fmt.Fprintf(&numbers, `{"n":%d,"to":%q}`+"\n", i, string(rune('a'+i%2)))
			}
			if err := os.WriteFile(filepath.Join(folder, "numbers"), numbers.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			hark := func(want int, args ...string) string {
				t.Helper()
				cmd := exec.Command("hark", append([]string{"play", "numbers"}, args...)...)
				cmd.Dir, cmd.Env = folder, append(os.Environ(), "RIGHT=hark:right:p", "WRONG=hark:wr0ngwr0ng")
				out, err := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); code != want {
					t.Errorf("%q: exit code %d, %v\n%s", args, code, err, out)
				}
				if strings.Contains(string(out), "wr0ng") || strings.Contains(string(out), "right:p") {
					t.Errorf("%q: a credential is in %s", args, out)
				}
				return string(out)
			}
			hark(0, append([]string{"--to", b.address + "/events", "--jq", "{n}"}, b.login...)...)
			hark(0, append([]string{"--to", b.address + "/events.{.to}", "--until", ".n == 2", "--jq", `select(.to == "a").n`}, b.login...)...)
			var want []string
			key := func(n int) string {
				if name == "kafka" {
					return fmt.Sprint(n)
				}
				return ""
			}
			for n := range 5 {
				want = append(want, fmt.Sprintf(`%s {"n":%d}`, key(n), n))
			}
			equal(t, b.read("events"), want)
			equal(t, b.read("events.a"), []string{key(0) + " 0", key(2) + " 2"})
			if out := hark(10, append([]string{"--to", b.address + "/missing", "--to-retry-time", "1ms"}, b.login...)...); !strings.Contains(out, b.missing) {
				t.Errorf("a topic that is missing: %s", out)
			}
			if out := hark(10, append([]string{"--to", b.address + "/{.missing}"}, b.login...)...); !strings.Contains(out, "the event has no ") {
				t.Errorf("an expression without a result: %s", out)
			}
			hark(10, append([]string{"--to", b.address + "/events"}, b.wrong...)...)
			hark(10, append([]string{"--to", strings.Replace(b.address, "://", "+tls://", 1) + "/events", "--to-retry-time", "1ms"}, b.login...)...)
			// All that is refused and can be kept is kept.
			if name == "kafka" {
				hark(0, append([]string{"--to", b.address + "/missing", "--dead-letter", "dead"}, b.login...)...)
				dead, err := os.ReadFile(filepath.Join(folder, "dead"))
				if err != nil || bytes.Count(dead, []byte("\n")) != 5 {
					t.Errorf("%s, %v", dead, err)
				}
			}
		})
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
}

func toNATS(t *testing.T, _ string) *killedDestination {
	server := natstest.New(t, "")
	conn, err := nats.Connect("nats://" + server.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	stream := natsStream(t, conn)
	return &killedDestination{to: "nats://" + server.Address + "/events", got: func() (list []arrival) {
		for _, m := range natsMessages(t, stream) {
			list = append(list, arrivalOf(t, m.Data))
		}
		return list
	}}
}

func toKafka(t *testing.T, _ string) *killedDestination {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &killedDestination{to: "kafka://" + c.ListenAddrs()[0] + "/events", got: func() (list []arrival) {
		for _, r := range kafkaRecords(t, c, "events") {
			list = append(list, arrivalOf(t, r.Value))
		}
		return list
	}}
}

func arrivalOf(t *testing.T, b []byte) (a arrival) {
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return a
}

// kafkaRecords returns what is in the first partition of a topic.
func kafkaRecords(t *testing.T, c *kfake.Cluster, topic string, opts ...kgo.Opt) (list []*kgo.Record) {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic))...)
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
