package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/transcript"
	"github.com/hark-cli/hark/proto"
)

// A toy is a service with everything that a transcript can say: it gets a ticket, sends
// hello with it, is ready at {"ok":…}, sends a heartbeat each 10 s, and refuses
// {"no":…}. {"ask":…} makes it send a request alongside the connection.
type toy struct {
	client *http.Client
	now    func() time.Time
	n      int
}

func (t *toy) Name() string        { return "toy" }
func (t *toy) Start() proto.Source { return proto.SourceFunc(t.handshake) }

func (t *toy) get(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, strings.NewReader(`{"n":1}`))
	if err != nil {
		return "", err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", &proto.HandshakeError{Stage: proto.StageRequest, Address: address, Status: resp.StatusCode}
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func (t *toy) handshake(ctx context.Context) (*proto.Handshake, error) {
	ticket, err := t.get(ctx, "https://a.example/ticket")
	if err != nil {
		return nil, err
	}
	t.n++
	return &proto.Handshake{
		URL: fmt.Sprintf("wss://a.example/%d", t.n), Header: http.Header{"X-A": {"b"}}, Subprotocols: []string{"p", "q"},
		Session: &toySession{t: t, ticket: ticket},
	}, nil
}

func (t *toy) Classify(err error) proto.Verdict {
	if err == errNo {
		return proto.Verdict{Class: proto.Credentials}
	}
	return proto.Verdict{}
}

var errNo = errors.New("no")

type toySession struct {
	t      *toy
	ticket string
	beat   time.Time
	asks   int
}

func (s *toySession) OnOpen(now time.Time) []proto.Effect {
	s.beat = now.Add(10 * time.Second)
	return []proto.Effect{proto.Send{proto.Text([]byte(s.ticket)), proto.Text([]byte(`{"hello":1}`))}}
}

func (s *toySession) Decode(m proto.Message) (bool, []proto.Effect, error) {
	switch text := string(m.Data); {
	case strings.Contains(text, "ok"):
		return false, []proto.Effect{proto.StreamReady{}}, nil
	case strings.Contains(text, "resumed"):
		return false, []proto.Effect{proto.StreamReady{Filling: true}, proto.GapReports{}}, nil
	case strings.Contains(text, "no"):
		return false, nil, errNo
	case strings.Contains(text, "ask"):
		s.asks++
		return false, nil, nil
	case strings.Contains(text, "two"):
		return false, []proto.Effect{proto.Inject{{Data: []byte("1")}, {Data: []byte("2")}}}, nil
	}
	return true, nil, nil
}

func (s *toySession) OnClose() []proto.Frame { return nil }

func (s *toySession) Tick(now time.Time) (proto.Work, error) {
	var w proto.Work
	if !now.Before(s.beat) {
		s.beat = s.beat.Add(10 * time.Second)
		w.Effects = append(w.Effects, proto.Send{proto.Text(fmt.Appendf(nil, `{"beat":%d}`, now.Sub(started)/time.Second))})
	}
	w.Next = s.beat
	if s.asks > 0 {
		s.asks--
		w.Do = func(ctx context.Context) func(time.Time) (proto.Work, error) {
			answer, err := s.t.get(ctx, "https://a.example/ask")
			return func(time.Time) (proto.Work, error) {
				return proto.Work{Next: s.beat, Effects: []proto.Effect{proto.Send{proto.Text([]byte(answer))}}}, err
			}
		}
	}
	return w, nil
}

// play plays all cases of a text.
func play(t *testing.T, text string) error {
	t.Helper()
	f, err := transcript.Parse("x.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		err := Run(t.Context(), f, c, Options{
			Service: func(client *http.Client, now func() time.Time) (proto.Service, error) {
				return &toy{client: client, now: now}, nil
			},
			ExitCode: func(err error) int {
				if f, ok := errors.AsType[*proto.Failure](err); ok && f.Class == proto.Credentials {
					return 5
				}
				return 3
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const begin = `# case a
> request .method == "GET" and .body.n == 1 and .url == "https://a.example/ticket" => 200 "t1"
# open .url == "wss://a.example/1" and .header["X-A"] == "b" and .subprotocol == "p, q"
> .hello == 1
> . == "t1"
`

func TestRun(t *testing.T) {
	for _, text := range []string{
		begin,
		begin + "< {\"ok\":1}\n= ready\n< {\"a\":[1.0]}\n= event {\"a\":[1]}\n< text\n= event \"text\"\n<b AA==\n= event {\"data_base64\":\"AA==\"}\n< two\n= event 1\n= event 2\n",
		// Time passes only where a line says so.
		begin + "+ 9s\n+ 1s\n> .beat == 10\n+ 20s\n> .beat == 30\n> .beat == 20\n",
		begin + "< no\n= exit 5\n",
		"# case a\n> request => 401\n= exit 5\n",
		"# case a\n> request => 503\n> request => 200 1\n# open => 500 x\n> request => 200 1\n# open => 404\n= exit 3\n",
		// A gap after a stream that was ready, unless the session says otherwise.
		begin + "< ok\n= ready\n! cut\n> request => 200 2\n# open .url == \"wss://a.example/2\"\n> . == 2\n> .hello\n< ok\n= gap\n" +
			"! close 1001 x\n> request => 200 3\n# open\n> . == 3\n> .hello\n< resumed\n= ready\n",
		begin + "! cut\n> request => 200 2\n# open\n> . == 2\n> .hello\n< ok\n= ready\n",
		// Requests alongside the connection, while messages go on, and cut off.
		begin + "< ask\n> request .url == \"https://a.example/ask\" => 200 {\"b\":1}\n> .b == 1\n",
		begin + "< ok\n= ready\n< ask\n> request => 200 {\"b\":1}\n> .b\n< ask\n> request => 500\n> request => 200 2\n# open\n> . == 2\n> .hello\n",
	} {
		text = strings.Replace(text, "< ok\n= gap\n", "< ok\n= ready\n= gap\n", 1)
		if err := play(t, text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func TestMismatch(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"# case a\n# open\n", `x.txt:2: case a: the client makes a request, {"body":{"n":1},`},
		{"# case a\n> request .method == \"POST\" => 200\n", `x.txt:2: case a: not true of what the client does: it makes a request`},
		{"# case a\n> request .method.x => 200\n", `x.txt:2: case a: `},
		{"# case a\n> request => 200 1\n# open .url == \"x\"\n", `x.txt:3: case a: not true of what the client does: it opens a socket, {"header"`},
		{"# case a\n> request => 200 1\n> .hello\n", `x.txt:3: case a: the client opens a socket`},
		{"# case a\n> request => 200 1\n< x\n", `x.txt:3: case a: before this line the client opens a socket`},
		{"# case a\n> request => 200 1\n# open\n", `x.txt:3: case a: after this line the client sends 1, which no line lists`},
		{begin + "> .more\n", `x.txt:6: case a: the client does not send this`},
		{begin[:len(begin)-len("> . == \"t1\"\n")] + "< x\n", `x.txt:4: case a: expected an object but got: string ("t1"), for "t1"`},
		{begin + "< x\n", `x.txt:6: case a: after this line the client has the event "x", which no line lists`},
		{begin + "< x\n= event \"y\"\n", `x.txt:7: case a: the client has the event "x"`},
		{begin + "< x\n= ready\n", `x.txt:7: case a: the client has the event "x" instead`},
		{begin + "= ready\n", `x.txt:6: case a: the client does not do this`},
		{begin + "+ 10s\n", `x.txt:6: case a: after this line the client sends {"beat":10}`},
		{begin + "< no\n", `x.txt:6: case a: after this line the client exits with 5: no, which no line lists`},
		{begin + "< no\n= exit 0\n", `x.txt:7: case a: the client exits with 5: no`},
		{begin + "! cut\n! cut\n", `x.txt:7: case a: there is no connection`},
		{begin + "= exit 0\n", `x.txt:6: case a: the client does not do this`},
		{begin + "< no\n# open\n", `x.txt:7: case a: the client does not do this: it exits with 5: no`},
	} {
		err := play(t, tt.text)
		if m, ok := errors.AsType[*Mismatch](err); !ok || !strings.HasPrefix(err.Error(), tt.want) || m.Text == "" {
			t.Errorf("%v, want %s\n%s", err, tt.want, tt.text)
		}
	}
}

// A case ends with its context, whatever the client waits for.
func TestCancel(t *testing.T) {
	f, err := transcript.Parse("x.txt", []byte("# case a\n# open\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errNo)
	err = Run(ctx, f, f.Cases[0], Options{
		Service: func(client *http.Client, now func() time.Time) (proto.Service, error) {
			return &toy{client: client, now: now}, nil
		},
		ExitCode: func(error) int { return 0 },
	})
	if err != errNo {
		t.Errorf("%v", err)
	}
	_, err = newClient(t.Context(), Options{Service: func(*http.Client, func() time.Time) (proto.Service, error) { return nil, errNo }})
	if err != errNo {
		t.Errorf("%v", err)
	}
}
