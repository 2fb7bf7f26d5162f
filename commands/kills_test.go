//go:build unix

package commands

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/internal/emulator"
)

// hark is killed at random moments and started again, until every number of a source has
// arrived: nothing is lost, and nothing comes again of which the position was stored.
// HARK_KILLS is how often it is killed for each source and destination.

// A numbers source publishes events with the numbers from 1 on.
type numbersSource struct {
	args    []string // of hark
	environ []string
	// publish publishes up to a number, which has arrived at the service when it returns.
	publish func(n int)
	// stored returns what the position covers: the numbers up to one, or events by their
	// ids.
	stored func(t *testing.T) (upTo int, ids []string)
	// confirms: the source is told, and there is no file.
	confirms bool
	// ends is the exit code of faults that end hark; 0 if there are none.
	ends int
}

func TestKills(t *testing.T) {
	t.Parallel()
	kills, _ := strconv.Atoi(os.Getenv("HARK_KILLS"))
	kills = cmp.Or(kills, 3)
	for _, source := range []struct {
		name string
		open func(t *testing.T, folder string) *numbersSource
	}{{"octave", octaveNumbers}, {"recipe", recipeNumbers}, {"confirmed", confirmedNumbers}} {
		for _, destination := range []struct {
			name string
			open func(t *testing.T, folder string) *killedDestination
		}{{"file", toFile}, {"http", toServer}, {"exec", toCommand}, {"stdout", toStdout}, {"nats", toNATS}, {"kafka", toKafka}} {
			t.Run(source.name+"/"+destination.name, func(t *testing.T) {
				t.Parallel()
				folder := t.TempDir()
				k := &killing{t: t, folder: folder, source: source.open(t, folder), destination: destination.open(t, folder)}
				seed := uint64(time.Now().UnixNano())
				k.rand = rand.New(rand.NewPCG(seed, 1))
				k.run(kills)
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			})
		}
	}
}

type killing struct {
	t           *testing.T
	folder      string
	source      *numbersSource
	destination *killedDestination
	stdin       *os.File // of hark; may be nil
	rand        *rand.Rand
	published   int
	done        map[int]bool    // numbers that a stored position covers
	doneIDs     map[string]bool // likewise, ids
	seen        int             // arrivals that have been looked at
}

// start starts hark.
func (k *killing) start() (cmd *exec.Cmd, stderr *bytes.Buffer, ended chan error) {
	cmd = exec.Command("hark", append([]string{}, k.source.args...)...)
	if k.destination.to != "" {
		cmd.Args = append(cmd.Args, "--to", k.destination.to)
	} else {
		cmd.Stdout = k.destination.stdout
	}
	if k.stdin != nil {
		cmd.Stdin = k.stdin
	}
	cmd.Dir = k.folder
	cmd.Env = append(os.Environ(), k.source.environ...)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	k.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, stderr, ended
}

func (k *killing) run(kills int) {
	k.done, k.doneIDs = make(map[int]bool), make(map[string]bool)
	repeats := 0
	for kill := 0; kill <= kills && !k.t.Failed(); {
		cmd, stderr, ended := k.start()
		running := true
		if kill == 0 { // what is published before the first position is no one's
			running = k.await(ended, stderr, func() bool { return k.begun() })
		}
		k.publish(k.rand.IntN(40))
		if kill == kills {
			k.publish(20)
			running = running && k.await(ended, stderr, k.complete)
		} else if more := k.rand.IntN(25) - 5; more > 0 {
			least := len(k.missing()) - more
			running = running && k.await(ended, stderr, func() bool { return len(k.missing()) <= max(least, 0) })
		}
		if running {
			if err := cmd.Process.Kill(); err != nil {
				k.t.Fatalf("%v\n%s", err, stderr)
			}
			<-ended
			kill++
		}
		k.check()
		if kill <= kills && k.rand.IntN(2) == 0 { // while nothing runs
			k.publish(k.rand.IntN(40))
		}
	}
	numbers := make(map[int]int)
	for _, a := range k.destination.got() {
		if numbers[a.N]++; numbers[a.N] > 1 {
			repeats++
		}
	}
	if lost := k.missing(); len(lost) > 0 {
		k.t.Errorf("lost: %v", lost)
	}
	k.t.Logf("killed %d times: %d events, %d delivered again", kills, k.published, repeats)
}

// publish publishes more, unless very much has not arrived yet: each connection that is
// cut soon after it was opened makes hark wait longer for the next one.
func (k *killing) publish(n int) {
	if len(k.missing()) > 100 {
		return
	}
	k.published += n
	k.source.publish(k.published)
}

// begun reports whether there is a first position.
func (k *killing) begun() bool {
	if k.source.confirms {
		return true
	}
	_, err := os.Stat(filepath.Join(k.folder, "position"))
	return err == nil
}

// complete reports whether each number has arrived.
func (k *killing) complete() bool { return len(k.missing()) == 0 }

// missing returns the numbers that have not arrived.
func (k *killing) missing() (list []int) {
	numbers := make(map[int]bool)
	for _, a := range k.destination.got() {
		numbers[a.N] = true
	}
	for n := 1; n <= k.published; n++ {
		if !numbers[n] {
			list = append(list, n)
		}
	}
	return list
}

// await waits for what must happen. It returns false if a fault of the source has ended
// hark.
func (k *killing) await(ended chan error, stderr *bytes.Buffer, happened func() bool) bool {
	k.t.Helper()
	late := time.After(scriptPatience)
	for !happened() {
		select {
		case err := <-ended:
			if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == cmp.Or(k.source.ends, -1) {
				return false
			}
			k.t.Fatalf("hark has ended: %v\n%s", err, stderr)
		case <-late:
			k.t.Fatalf("it does not come: %d published, %d have arrived, missing %v\n%s", k.published, len(k.destination.got()), k.missing(), stderr)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true
}

// check compares what has arrived with the position that is stored.
func (k *killing) check() {
	got := k.destination.got()
	for _, a := range got[k.seen:] {
		if k.done[a.N] || k.doneIDs[a.ID] {
			k.t.Errorf("event %d came again, although the position behind it was stored", a.N)
		}
	}
	k.seen = len(got)
	upTo, ids := k.source.stored(k.t)
	arrived, arrivedIDs := make(map[int]bool), make(map[string]bool)
	for _, a := range got {
		arrived[a.N], arrivedIDs[a.ID] = true, true
	}
	for n := 1; n <= upTo; n++ {
		if k.done[n] = true; !arrived[n] {
			k.t.Errorf("the position is behind event %d, which has not arrived", n)
		}
	}
	for _, id := range ids {
		if k.doneIDs[id] = true; !arrivedIDs[id] {
			k.t.Errorf("the position contains event %s, which has not arrived", id)
		}
	}
}

// storedPosition reads the position of the file; nil if there is none.
func storedPosition(t *testing.T, folder string, v any) {
	b, err := os.ReadFile(filepath.Join(folder, "position"))
	if os.IsNotExist(err) {
		return
	}
	var state struct{ Position json.RawMessage }
	if err == nil {
		err = json.Unmarshal(b, &state)
	}
	if err == nil && state.Position != nil {
		err = json.Unmarshal(state.Position, v)
	}
	if err != nil {
		t.Fatalf("position: %v: %s", err, b)
	}
}

// octaveNumbers is the emulator of Octave under faults that lose nothing.
func octaveNumbers(t *testing.T, folder string) *numbersSource {
	opts := emulator.DefaultOptions()
	opts.Rate, opts.Faults = 0, []string{"random=25"}
	e, err := services().Emulators().New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		e.Close()
		server.Close()
	})
	environ, err := e.Environ(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	const stream = "/demo/stream"
	publisher := exec.Command("hark", "octave", "publish", stream)
	publisher.Env = append(os.Environ(), environ...)
	in, err := publisher.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := publisher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = publisher.Wait()
	})
	created, last := bufio.NewReader(out), 0
	return &numbersSource{
		args: []string{"octave", "subscribe", stream, "--cursor", "position", "--jq", "{n: .value.elems.n, id: .value.id}",
			"--cursor-interval", "50ms", "--ack-timeout", "2s", "--ping-interval", "1s", "--ping-timeout", "1s", "--retries", "1000"},
		environ: environ, ends: ending.TimedOut, // without an acknowledgment
		publish: func(n int) {
			for ; last < n; last++ {
				if _, err := fmt.Fprintf(in, "{\"n\":%d}\n", last+1); err != nil {
					t.Fatal(err)
				}
				if _, err := created.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
		},
		stored: func(t *testing.T) (_ int, ids []string) {
			var streams map[string]struct{ Done []struct{ ID string } }
			storedPosition(t, folder, &streams)
			for _, e := range streams[stream].Done {
				ids = append(ids, e.ID)
			}
			return 0, ids
		},
	}
}

// A numbersServer sends numbers to its client from the one on that the client asks for,
// or that it has confirmed, and cuts the connection now and then.
type numbersServer struct {
	last      atomic.Int64
	confirmed atomic.Int64
	confirms  bool
}

// unconfirmed is how many numbers may be unconfirmed.
const unconfirmed = 20

// ServeHTTP implements http.Handler.
func (s *numbersServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	next, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if s.confirms {
		next = s.confirmed.Load()
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			_, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			var m struct{ Ack int64 }
			if json.Unmarshal(b, &m) == nil && m.Ack > 0 {
				for old := s.confirmed.Load(); m.Ack > old && !s.confirmed.CompareAndSwap(old, m.Ack); old = s.confirmed.Load() {
				}
			}
		}
	}()
	cut := next + unconfirmed + 1 + rand.Int64N(300)
	for {
		select {
		case <-gone:
			return
		case <-time.After(time.Millisecond):
		}
		for next < s.last.Load() && (!s.confirms || next < s.confirmed.Load()+unconfirmed) {
			next++
			if c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"n":%d}`, next)) != nil || next == cut {
				return
			}
		}
	}
}

const numbersRecipe = `name = "numbers"
[param.url]
[connect]
url = '$param.url + "?after=" + ($cursor // 0 | tostring)'
`

// numbersOf makes the source of a server and a recipe.
func numbersOf(t *testing.T, folder string, s *numbersServer, recipe string, flags ...string) *numbersSource {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	if err := os.WriteFile(filepath.Join(folder, "numbers.toml"), []byte(recipe), 0o600); err != nil {
		t.Fatal(err)
	}
	return &numbersSource{
		args: append([]string{"run", "./numbers.toml", "--url", "ws" + strings.TrimPrefix(server.URL, "http"), "--retries", "1000"}, flags...),
		publish: func(n int) {
			s.last.Store(int64(n))
		},
	}
}

// recipeNumbers is a server that resumes behind a position.
func recipeNumbers(t *testing.T, folder string) *numbersSource {
	k := numbersOf(t, folder, &numbersServer{}, numbersRecipe+"[cursor]\nfrom = '.n'\n", "--cursor", "position", "--cursor-interval", "50ms")
	k.stored = func(t *testing.T) (upTo int, _ []string) {
		storedPosition(t, folder, &upTo)
		return upTo, nil
	}
	return k
}

// confirmedNumbers is a server that sends again what has not been confirmed.
func confirmedNumbers(t *testing.T, folder string) *numbersSource {
	s := &numbersServer{confirms: true}
	k := numbersOf(t, folder, s, numbersRecipe+"[confirm]\non = \"delivered\"\nsend = '{ack: .n}'\n")
	k.confirms = true
	k.stored = func(*testing.T) (int, []string) { return int(s.confirmed.Load()), nil }
	return k
}

// At the prompt, what is printed is confirmed as well.
func TestConfirmsAtPrompt(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	k := &killing{t: t, folder: folder, source: confirmedNumbers(t, folder), destination: toStdout(t, folder), done: make(map[int]bool)}
	k.source.args = append(k.source.args, "-i")
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer w.Close()
	k.stdin = in
	cmd, stderr, ended := k.start()
	k.publish(30)
	k.await(ended, stderr, func() bool {
		confirmed, _ := k.source.stored(t)
		return confirmed == k.published
	})
	_ = cmd.Process.Kill()
	<-ended
	k.check()
}
