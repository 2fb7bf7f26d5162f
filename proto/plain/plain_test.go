package plain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// Every message is an event, the stream is ready at once, and no credential of the
// address is shown.
func TestService(t *testing.T) {
	hello := proto.Text([]byte("hello"))
	svc := &Service{URL: "wss://user:s3cret@host/a/b?token=s3cret", Subprotocols: []string{"v1"}, FirstFrames: []proto.Frame{hello}}
	hs, err := svc.Start().Handshake(t.Context())
	if err != nil || hs.URL != svc.URL || hs.Address != "wss://host/a/b?…" || hs.Subprotocols[0] != "v1" {
		t.Errorf("handshake %+v, %v", hs, err)
	}
	want := prototest.Step{Send: []proto.Frame{hello}, Ready: true}
	if diff := cmp.Diff(want, prototest.StepOf(hs.Session.OnOpen(prototest.Noon))); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	for _, m := range []proto.Message{{Data: []byte("x")}, {Data: []byte{0}, Binary: true}, {}} {
		if step, err := prototest.Decode(hs.Session, m); err != nil || !cmp.Equal(step, prototest.Step{Event: true}) {
			t.Errorf("%q: %+v, %v", m.Data, step, err)
		}
	}
	if d := svc.Describe(proto.Message{}); d.Source != "wss://host/a/b" {
		t.Errorf("the source of events is %q", d.Source)
	}
}
