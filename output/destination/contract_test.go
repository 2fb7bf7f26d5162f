package destination_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	natsclient "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hark-cli/hark/internal/natstest"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/output/destination/exec"
	"github.com/hark-cli/hark/output/destination/file"
	"github.com/hark-cli/hark/output/destination/kafka"
	"github.com/hark-cli/hark/output/destination/nats"
	"github.com/hark-cli/hark/output/destination/webhook"
	"github.com/hark-cli/hark/proto"
)

// A place is a destination under test.
type place struct {
	destination.Destination
	// received are the numbers of what has arrived, in order.
	received func() []int
	// picky: it refuses multiples of 7, and answers the first attempt for multiples of 5
	// with a temporary failure.
	picky bool
}

type number struct{ N int }

// places are all destinations.
func places(t *testing.T) map[string]*place {
	all := map[string]*place{}

	path := filepath.Join(t.TempDir(), "events")
	d, err := file.New(file.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	lines := func(path string) func() []int {
		return func() (list []int) {
			b, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				var n number
				if err := json.Unmarshal([]byte(line), &n); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				list = append(list, n.N)
			}
			return list
		}
	}
	all["file"] = &place{Destination: d, received: lines(path)}

	var (
		mu    sync.Mutex
		got   []int
		tried = make(map[int]bool)
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var n number
		if err := json.Unmarshal(b, &n); err != nil {
			t.Errorf("%q: %v", b, err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case n.N%7 == 0:
			w.WriteHeader(http.StatusBadRequest)
		case n.N%5 == 0 && !tried[n.N]:
			tried[n.N] = true
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			got = append(got, n.N)
		}
	}))
	t.Cleanup(server.Close)
	all["webhook"] = &place{
		Destination: &webhook.Destination{URL: server.URL, Client: server.Client(), Timeout: time.Minute},
		received: func() []int {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(got)
		},
		picky: true,
	}

	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	broker, err := kafka.New(kafka.Options{Brokers: cluster.ListenAddrs(), Topic: "events"})
	if err != nil {
		t.Fatal(err)
	}
	all["kafka"] = &place{Destination: broker, received: func() []int { return consume(t, cluster, "events") }}

	if runtime.GOOS != "windows" {
		folder := t.TempDir()
		all["exec"] = &place{
			Destination: &exec.Destination{
				Command: `cd '` + folder + `' || exit
					[ $((HARK_EVENT_ID % 7)) = 0 ] && exit 3
					[ $((HARK_EVENT_ID % 5)) = 0 ] && [ ! -e tried$HARK_EVENT_ID ] && { : >tried$HARK_EVENT_ID; exit 75; }
					cat >>events`,
				Environ: os.Environ(), Output: io.Discard,
			},
			received: lines(filepath.Join(folder, "events")), picky: true,
		}
	}
	if natstest.Program() != "" {
		all["nats"] = natsPlace(t)
	} else {
		fmt.Println("skipped: nats-server is missing")
	}
	return all
}

// natsPlace is a stream of a server of its own.
func natsPlace(t *testing.T) *place {
	s := natstest.New(t, "")
	conn, err := natsclient.Connect("nats://" + s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "events", Subjects: []string{"events"}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := nats.New(nats.Options{Servers: []string{s.Address}, Subject: "events"})
	if err != nil {
		t.Fatal(err)
	}
	return &place{Destination: d, received: func() (list []int) {
		info, err := stream.Info(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i := range info.State.Msgs {
			m, err := stream.GetMsg(context.Background(), info.State.FirstSeq+i)
			var n number
			if err != nil || json.Unmarshal(m.Data, &n) != nil {
				t.Fatalf("%v, %v", m, err)
			}
			list = append(list, n.N)
		}
		return list
	}}
}

// consume returns the numbers in a topic of one partition.
func consume(t *testing.T, cluster *kfake.Cluster, topic string) (list []int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DisableClientMetrics(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for end := cluster.PartitionInfo(topic, 0).HighWatermark; int64(len(list)) < end; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			var n number
			if err := json.Unmarshal(r.Value, &n); err != nil {
				t.Fatalf("%q: %v", r.Value, err)
			}
			list = append(list, n.N)
		}
	}
	return list
}

func record(n int) destination.Record {
	b, err := json.Marshal(number{n})
	if err != nil {
		panic(err)
	}
	return destination.Record{ID: fmt.Sprint(n), Data: b}
}

// Whatever the destination is: the order is kept, failures are retried, what is refused
// becomes a dead letter, and at the end everything has arrived.
func TestContract(t *testing.T) {
	for name, p := range places(t) {
		t.Run(name, func(t *testing.T) {
			const count = 40
			var dead []int
			var retried int
			v := destination.New(p, destination.Options{
				Name: name, Backoff: proto.Backoff{Base: time.Millisecond, Max: time.Millisecond},
				DeadLetter: func(r destination.Record, why error) error {
					var n number
					if err := json.Unmarshal(r.Data, &n); err != nil {
						return err
					}
					dead = append(dead, n.N)
					return nil
				},
				Retrying: func(error, time.Duration) { retried++ },
				Failed:   func(err error) { t.Error(err) },
			})
			var want, refused []int
			for n := 1; n <= count; n++ {
				if err := v.Submit(record(n)); err != nil {
					t.Fatal(err)
				}
				if p.picky && n%7 == 0 {
					refused = append(refused, n)
				} else {
					want = append(want, n)
				}
			}
			if err := v.Finish(time.Hour, nil); err != nil {
				t.Fatal(err)
			}
			if got := p.received(); !slices.Equal(got, want) {
				t.Errorf("received %v, want %v", got, want)
			}
			if !slices.Equal(dead, refused) {
				t.Errorf("dead letters %v, want %v", dead, refused)
			}
			if p.picky && retried != 7 { // 5, 10 … 40 without 35
				t.Errorf("retried %d times", retried)
			}
			if c := v.Counts(); int(c.Delivered) != len(want) || int(c.Dead) != len(refused) || c.InFlight != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// Without dead letters, a refusal ends the delivery, and nothing behind it is delivered.
func TestContractRefusal(t *testing.T) {
	for name, p := range places(t) {
		if !p.picky {
			continue
		}
		t.Run(name, func(t *testing.T) {
			v := destination.New(p, destination.Options{Name: name, Backoff: proto.Backoff{Base: time.Millisecond, Max: time.Millisecond}})
			for n := 1; n <= 20; n++ {
				if v.Submit(record(n)) != nil {
					break
				}
			}
			err := v.Finish(time.Hour, nil)
			if err == nil || !strings.Contains(err.Error(), "event 7: not delivered") {
				t.Errorf("%v", err)
			}
			if got := p.received(); !slices.Equal(got, []int{1, 2, 3, 4, 5, 6}) {
				t.Errorf("received %v", got)
			}
		})
	}
}

// An attempt ends with its context.
func TestContractEnd(t *testing.T) {
	for name, p := range places(t) {
		if name == "file" {
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		results := make([]error, 1)
		p.Deliver(ctx, []destination.Record{record(1)}, results)
		if results[0] == nil || len(p.received()) > 0 {
			t.Errorf("%s: %v, received %v", name, results[0], p.received())
		}
	}
}
