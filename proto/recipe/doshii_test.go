package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/emulator"
	emulated "github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/vectors"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/doshii/wire"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/prototest"
)

// A taker is a sink that keeps events.
type taker struct {
	events []string
	limit  int
}

var errTaken = errors.New("taken")

func (s *taker) Event(ev *proto.Event) error {
	s.events = append(s.events, string(ev.Data))
	if len(s.events) == s.limit {
		return errTaken
	}
	return nil
}

func (s *taker) Flush() error { return nil }

// played are the events of a recording as a service reads it, and what is reported.
func played(t *testing.T, svc proto.Player, recording []byte) (events, statuses []string) {
	t.Helper()
	r, err := proto.NewRecordingReader(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	sink := &taker{}
	trace := proto.Trace{Status: func(s proto.Status) {
		switch s.State.(type) {
		case proto.Ready, proto.Disconnected:
			statuses = append(statuses, s.State.String())
		}
	}}
	if err := proto.Play(t.Context(), svc, r.Records(), sink, proto.Options{Trace: trace}); !errors.Is(err, proto.ErrRecordingEnd) {
		t.Error(err)
	}
	return sink.events, statuses
}

// doshiiRecipe is Doshii as a recipe, with only events of these names.
func doshiiRecipe(t *testing.T, names ...string) *Service {
	t.Helper()
	values := map[string]any{"version": "1.4.0"}
	if len(names) > 0 {
		var list []any
		for _, name := range names {
			list = append(list, name)
		}
		values["events"] = list
	}
	svc, err := read(t, "doshii").Service(Options{Values: values})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// Doshii as a recipe makes of each message of the vendor what the service of Go does.
func TestDoshiiMessages(t *testing.T) {
	messages := [][]byte{
		[]byte(`"primus::ping::1539153305184"`), []byte(`"primus::pong::1539153305184"`), []byte(`"primus::server::close"`),
		[]byte(`{"type":"message","data":{"emit":["order_created",{}]}}`), []byte(`{"type":"message","data":{"doshii":{"ping":7}}}`),
		[]byte(`{ "emit" : [ "order_created" ] }`), []byte(`{"emit":["order\u005fcreated",{}]}`), []byte(`{"x":1}`), []byte(`hello`),
		[]byte(`{"event":"health_check","data":{"ping":1539153305184}}`), []byte(`{"emit":["health_check",{}]}`), []byte(`[1]`), []byte(`null`),
	}
	for _, m := range vectors.Files(t, "../doshii/testdata") {
		messages = append(messages, m)
	}
	for _, names := range [][]string{nil, {"order_created"}, {"health_check", "order_updated"}} {
		theirs := (&doshii.Service{AppVersion: "1.4.0", Events: names, Heartbeat: time.Minute}).Offline()
		ours := doshiiRecipe(t, names...).Offline()
		theirs.OnOpen(prototest.Noon)
		ours.OnOpen(prototest.Noon)
		for _, m := range messages {
			want, err := prototest.Decode(theirs, proto.Message{Data: m, Time: prototest.Noon})
			got, ourErr := prototest.Decode(ours, proto.Message{Data: m, Time: prototest.Noon})
			if err != nil || ourErr != nil {
				t.Errorf("%s: %v, %v", m, err, ourErr)
			}
			if want.Event != got.Event || len(got.Events) > 0 || fmt.Sprint(prototest.Texts(want.Send)) != fmt.Sprint(prototest.Texts(got.Send)) {
				t.Errorf("events %v, %s:\ngot  %+v\nwant %+v", names, m, got, want)
			}
		}
	}
}

// The same recording gives the same events, and the same turns.
func TestDoshiiRecording(t *testing.T) {
	opts := emulator.DefaultOptions()
	opts.Rate = 20
	prototest.InWorld(t, opts, emulated.Service(emulated.DefaultOptions()), func(w *prototest.World) {
		recording := proto.AppendHead(nil, proto.RecordingHead{Service: "doshii"})
		w.Options.Trace.Frame = func(r proto.FrameRecord) { recording = proto.AppendRecord(recording, r) }
		svc := &doshii.Service{
			Endpoint: w.Env["HARK_DOSHII_ENDPOINT"], Path: wire.PathAppV3, Heartbeat: 5 * time.Second, AppVersion: "1.4.0",
			Auth: prototest.StaticToken(doshii.Auth(secret.Value(w.Env["HARK_DOSHII_CLIENT_ID"]))),
		}
		if err := proto.Run(w.T.Context(), svc, &taker{limit: 400}, w.Options); !errors.Is(err, errTaken) {
			w.T.Fatal(err)
		}
		for _, names := range [][]string{nil, {"order_created"}, {"health_check"}} {
			want, turns := played(w.T, &doshii.Service{Events: names, Heartbeat: time.Minute, AppVersion: "1.4.0"}, recording)
			got, ourTurns := played(w.T, doshiiRecipe(w.T, names...), recording)
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 && names == nil {
				w.T.Errorf("events %v (-want +got):\n%s", names, diff)
			}
			if !slices.Equal(turns, ourTurns) {
				w.T.Errorf("%v, want %v", ourTurns, turns)
			}
		}
	})
}

// The recipe speaks with an emulator of the service as the service of Go does.
func TestDoshiiRecipeRuns(t *testing.T) {
	opts := emulator.DefaultOptions()
	opts.Rate = 1
	prototest.InWorld(t, opts, emulated.Service(emulated.DefaultOptions()), func(w *prototest.World) {
		beats := 0
		w.Options.Trace.Frame = func(r proto.FrameRecord) {
			if r.Direction == proto.Out && r.Opcode == frame.OpText && bytes.Contains(r.Payload, []byte(`"ping"`)) {
				beats++
			}
		}
		for id, want := range map[string]error{w.Env["HARK_DOSHII_CLIENT_ID"]: errTaken, "wrong": nil} {
			svc, err := read(w.T, "doshii").Service(Options{
				Values:     map[string]any{"url": w.Env["HARK_DOSHII_ENDPOINT"] + wire.PathAppV3},
				Secrets:    map[string]proto.TokenSource{"client-id": func(context.Context) (secret.Value, error) { return secret.Value(id), nil }},
				AckTimeout: 10 * time.Second,
			})
			if err != nil {
				w.T.Fatal(err)
			}
			err = proto.Run(w.T.Context(), svc, &taker{limit: 100}, w.Options)
			f, failed := errors.AsType[*proto.Failure](err)
			if want != nil && !errors.Is(err, want) || want == nil && !(failed && f.Class == proto.Credentials) {
				w.T.Errorf("%s: %v", id, err)
			}
		}
		if beats < 3 {
			w.T.Errorf("%d heartbeats", beats)
		}
	})
}
