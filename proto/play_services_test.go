package proto_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/plain"
)

// No recording makes a codec panic, whatever its service is.
func FuzzPlay(f *testing.F) {
	for _, recording := range []string{
		`{"dir":"in","op":"text","text":"{\"emit\":[\"a\"]}"}` + "\n" + `{"dir":"in","op":"text","text":"{\"head\":{\"ok\":false,\"msgId\":1}}"}`,
		`{"time":"2026-11-23T12:00:00Z","handshake":{"url":"ws://test/","status":101}}` + "\n" + `{"dir":"out","op":"text","text":"{}"}`,
		`{"dir":"in","op":"binary","data_base64":"AAEC"}` + "\n" + `{"dir":"in","op":"ping","text":"x"}` + "\n" + `{"dir":"in","op":"close","code":1000}`,
	} {
		f.Add([]byte(recording))
	}
	players := []proto.Player{&plain.Service{}, &drogue.Service{}, &doshii.Service{}, &octave.Service{}}
	f.Fuzz(func(t *testing.T, recording []byte) {
		for _, svc := range players {
			r, err := proto.NewRecordingReader(bytes.NewReader(recording))
			if err != nil {
				return
			}
			_ = proto.Play(t.Context(), svc, r.Records(), discard{}, proto.Options{Idle: time.Hour})
		}
	})
}

// discard is a sink that discards everything.
type discard struct{}

func (discard) Event(*proto.Event) error { return nil }
func (discard) Flush() error             { return nil }
