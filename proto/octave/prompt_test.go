package octave

import (
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave/wire"
	"github.com/hark-cli/hark/proto/prototest"
)

func TestCommands(t *testing.T) {
	now := time.Now()
	s := &session{o: &Service{Streams: []string{"/a"}}}
	s.OnOpen(now)
	command := func(name string, args ...string) string {
		t.Helper()
		effects, text, err := s.Command(name, args, now)
		if err != nil {
			return "error: " + err.Error()
		}
		for _, f := range prototest.Frames(effects) {
			text += string(f.Payload)
		}
		return text
	}
	answer := func(id string, ok bool) prototest.Step {
		t.Helper()
		step, err := prototest.Decode(s, proto.Message{Data: eventjson.Encode(wire.Answer{Head: &wire.Head{MsgID: eventjson.Encode(id), OK: ok, Status: 200}})})
		if err != nil {
			t.Fatal(err)
		}
		return step
	}
	answer("subscribe-1", true)
	for _, tt := range []struct{ got, want string }{
		{command("streams"), "/a"},
		{command("subscribe"), "error: /subscribe requires the id or path of a stream"},
		{command("subscribe", "/a"), "error: already subscribed to /a"},
		{command("unsubscribe", "/b"), "error: not subscribed to /b"},
		{command("subscribe", "/b", "s1"), `{"msgId":"by-hand-1","object":"event","type":"subscribe","path":"/b"}` +
			`{"msgId":"by-hand-2","object":"event","type":"subscribe","streamId":"s1"}`},
		{answer("by-hand-1", true).Answer, "subscribed to /b"},
		{answer("by-hand-2", false).Warning, "subscribe s1 refused with status 200"},
		{command("streams"), "/a\n/b"},
		{command("unsubscribe", "/a"), `{"msgId":"by-hand-3","object":"event","type":"unsubscribe","path":"/a"}`},
		{answer("by-hand-3", true).Answer, "unsubscribed from /a"},
		{command("streams"), "/b"},
		{command("dance"), "error: unknown command"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s\nwant %s", tt.got, tt.want)
		}
	}
}
