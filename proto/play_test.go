package proto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto/frame"
)

// play plays a recording and returns why it ended.
func play(t *testing.T, svc Player, recording []byte, sink Sink, o Options) error {
	t.Helper()
	r, err := NewRecordingReader(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	return Play(t.Context(), svc, r.Records(), sink, o)
}

// A recording plays like the run: the same events at the same times, the same statuses,
// the same notes.
func TestPlayIsLikeRun(t *testing.T) {
	svc := talkative{&rawService{URL: "ws://test/?secret-auth"}}
	recording := AppendHead(nil, RecordingHead{Service: svc.Name()})
	var ran traceRecorder
	var live recorder
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t,
			refuse: func(n int, _ *http.Request) (*http.Response, error) {
				if n == 2 {
					return answer(503, nil, "busy"), nil
				}
				return nil, nil
			},
			serve: func(n int, p *peer) {
				p.next(frame.OpText)
				time.Sleep(time.Second)
				p.text("pong", "a")
				p.send(frame.OpPing, "x")
				p.text("ping", fmt.Sprint("b", n))
				time.Sleep(time.Second)
				if n == 3 {
					p.untilClose()
				}
			},
		}
		o := testOptions(nw)
		o.Trace = ran.trace()
		o.Trace.Frame = func(r FrameRecord) { recording = AppendRecord(recording, r) }
		live.limit = 4
		if err := Run(t.Context(), svc, &live, o); !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		nw.wg.Wait()
	})
	if strings.Contains(string(recording), "secret-auth") {
		t.Errorf("the recording shows the credential:\n%s", recording)
	}
	var played traceRecorder
	var sink recorder
	o := Options{Trace: played.trace()}
	if err := play(t, talkative{}, recording, &sink, o); !errors.Is(err, ErrRecordingEnd) {
		t.Errorf("Play: %v", err)
	}
	if diff := cmp.Diff(live.events, sink.events); diff != "" {
		t.Errorf("events (-ran +played):\n%s", diff)
	}
	for i := range min(len(live.times), len(sink.times)) {
		if !live.times[i].Equal(sink.times[i]) {
			t.Errorf("event %d: ran at %s, played at %s", i+1, live.times[i], sink.times[i])
		}
	}
	if diff := cmp.Diff(ran.notes, played.notes); diff != "" {
		t.Errorf("notes (-ran +played):\n%s", diff)
	}
	want := []string{"connecting", "connected", "ready", "connecting", "disconnected", "connecting", "connected", "gap", "ready"}
	if diff := cmp.Diff(want, played.states); diff != "" {
		t.Errorf("states (-want +played):\n%s", diff)
	}
	if len(played.handshakes) != 3 || played.handshakes[1].Status != 503 {
		t.Errorf("handshakes %+v", played.handshakes)
	}
	if sink.flush == 0 {
		t.Error("the sink was not flushed")
	}
}

// talkative is a service with heartbeats in text messages, which are not events.
type talkative struct{ *rawService }

func (s talkative) Start() Source {
	return SourceFunc(func(ctx context.Context) (*Handshake, error) {
		hs, err := s.handshake(ctx)
		hs.Session = talkativeSession{}
		return hs, err
	})
}

func (talkative) Offline() Session { return talkativeSession{} }

type talkativeSession struct{ rawSession }

func (talkativeSession) OnOpen(time.Time) []Effect { return []Effect{Send{Text([]byte("ping"))}} }

func (talkativeSession) Decode(m Message) (event bool, _ []Effect, _ error) {
	switch string(m.Data) {
	case "ping":
		return false, []Effect{Send{Text([]byte("pong"))}, Note("ping of the server answered")}, nil
	case "pong":
		return false, []Effect{Note("pong"), HeartbeatAnswered{}, StreamReady{}}, nil
	}
	return true, nil, nil
}

func TestPlayEnds(t *testing.T) {
	recording := AppendHead(nil, RecordingHead{Service: "connect"})
	for i, op := range []frame.Opcode{frame.OpText, frame.OpPing, frame.OpBinary, frame.OpText} {
		recording = AppendRecord(recording, FrameRecord{Time: recordingTime.Add(time.Duration(i) * time.Minute), Direction: In, Opcode: op, Payload: []byte{'0' + byte(i)}})
	}
	tests := []struct {
		name   string
		cut    int
		idle   time.Duration
		limit  int
		err    error
		events string
	}{
		{"at the end", 0, 0, 0, ErrRecordingEnd, "0 2 3"},
		{"by the sink", 0, 0, 2, errEnough, "0 2"},
		{"idle, by the clock of the recording", 0, 2 * time.Minute, 0, ErrIdle, "0"},
		{"a sign of life is not an event", 0, time.Minute, 0, ErrIdle, "0"},
		{"not idle", 0, 3 * time.Minute, 0, ErrRecordingEnd, "0 2 3"},
		{"where it is cut off", 5, 0, 0, ErrRecordingEnd, "0 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d traceRecorder
			sink := recorder{limit: tt.limit}
			err := play(t, &rawService{}, recording[:len(recording)-tt.cut], &sink, Options{Idle: tt.idle, Trace: d.trace()})
			if !errors.Is(err, tt.err) || strings.Join(sink.events, " ") != tt.events {
				t.Errorf("%v after %q, want %v after %q", err, sink.events, tt.err, tt.events)
			}
			if (len(d.warnings) > 0) != (tt.cut > 0) {
				t.Errorf("warnings %q", d.warnings)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	r, err := NewRecordingReader(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	if err := Play(ctx, &rawService{}, r.Records(), &recorder{}, Options{}); !errors.Is(err, errEnough) {
		t.Errorf("Play: %v, want the cause of its context", err)
	}
}
