package recipe

import (
	"slices"
	"strings"
	"testing"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

const resumable = `name = "x"
secret = ["session"]
[connect]
url = '"ws://h/?after=" + ($cursor.n // "none" | tostring)'
[[on]]
when = '.new'
reconnect = '"new"'
[[on]]
when = 'has("many")'
event = '.many[]'
[cursor]
from = '{n: .n, session: "s3cret"} | select(.n)'
[cloudevent]
id = '.n'
[close]
new = [4007]
`

// resumed makes a run that continues from a position.
func resumed(t *testing.T, r *Recipe, stored string) (*talk, proto.Position) {
	t.Helper()
	k := talkOf(t, r, nil)
	svc, position, err := k.svc.Resume([]byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	k.svc = svc.(*Service)
	k.run = k.svc.Start().(*run)
	return k, position
}

// moves returns the positions among effects.
func moves(effects []proto.Effect) (list []any) {
	for _, e := range effects {
		if m, ok := e.(proto.Moved); ok {
			list = append(list, m.Position)
		}
	}
	return list
}

// decode has the session look at a message, and returns the position of it, nil for none.
func (k *talk) decode(text string) any {
	k.t.Helper()
	_, effects, _ := k.s.Decode(proto.Message{Data: []byte(text), Time: k.now})
	switch list := moves(effects); len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	default:
		k.t.Errorf("%s: %d positions", text, len(list))
		return nil
	}
}

// A run begins with the stored position, moves it over what is done, and forgets it when
// the service asks for a new session.
func TestPosition(t *testing.T) {
	r := parsed(t, resumable)
	k, position := resumed(t, r, `{"n":7,"session":"0ld"}`)
	hs, _ := k.open()
	if hs.URL != "ws://h/?after=7" || !slices.Contains(hs.Secrets, "0ld") {
		t.Errorf("%s, %q", hs.URL, hs.Secrets)
	}
	check := func(want string) {
		t.Helper()
		if got := string(position.JSON()); got != want {
			t.Errorf("position %s, want %s", got, want)
		}
	}
	check(`{"n":7,"session":"0ld"}`)
	eight, nine := k.decode(`{"n":8}`), k.decode(`{"n":9,"many":[1,2]}`)
	if k.decode(`{"many":[3]}`) != nil {
		t.Error("a message without a position has one")
	}
	check(`{"n":7,"session":"0ld"}`) // nothing is done
	position.Move(eight)
	check(`{"n":8,"session":"s3cret"}`)
	position.Move(nine)
	check(`{"n":9,"session":"s3cret"}`)

	fresh := k.decode(`{"new":true}`)
	position.Move(fresh)
	check("")
	if hs, _ = k.open(); hs.URL != "ws://h/?after=none" {
		t.Error(hs.URL)
	}
	position.Move(k.decode(`{"n":1}`))
	check(`{"n":1,"session":"s3cret"}`)

	k.s.Ended(&proto.CloseError{Code: 4007}) // there is no message to say it with
	hs, err := k.run.Handshake(t.Context())
	if err != nil || hs.URL != "ws://h/?after=none" {
		t.Errorf("%v, %v", hs, err)
	}
	for _, v := range moves(hs.Session.OnOpen(k.now)) {
		position.Move(v)
	}
	check("")
	if s, ok := position.(proto.SecretPosition); !ok || !slices.Equal(s.Secret(), []string{"session"}) {
		t.Error("the credential in the position is not known")
	}
	if id := k.svc.EventID(proto.Message{Data: []byte(`{"n":5}`)}); id != "5" {
		t.Errorf("id %q", id)
	}
}

// Without Resume, nothing is attached to events.
func TestNoPosition(t *testing.T) {
	k := talkOf(t, parsed(t, resumable), nil)
	k.open()
	if v := k.decode(`{"n":8}`); v != nil {
		t.Errorf("position %v", v)
	}
	if _, _, err := k.svc.Resume([]byte("{")); err == nil {
		t.Error("resumed from what is not JSON")
	}
	k = talkOf(t, parsed(t, minimal), nil)
	if _, _, err := k.svc.Resume(nil); err == nil || !strings.Contains(err.Error(), "has no [cursor]") {
		t.Errorf("without [cursor]: %v", err)
	}
}

// With on = "delivered" a message is confirmed when its events are done, once, on the
// connection on which it came.
func TestConfirmDelivered(t *testing.T) {
	r := parsed(t, minimal+"[[on]]\nwhen = '.a'\nevent = '.a[]'\n[confirm]\non = \"delivered\"\nsend = '{ack: .id}'\n")
	k := talkOf(t, r, nil)
	if !k.svc.ConfirmsDelivery() {
		t.Error("nothing is to be confirmed")
	}
	k.open()
	old := k.decode(`{"id":1,"a":[1,2]}`)
	k.want(`{"id":2,"a":[3]}`, "event 3") // not yet
	confirmed := func(positions ...any) string {
		return said(prototest.StepOf(k.s.Confirm(positions, k.now)), nil)
	}
	if got := confirmed(old); got != `> {"ack":1}` {
		t.Error(got)
	}
	two := k.decode(`{"id":2,"a":[3]}`)
	k.open()
	three := k.decode(`{"id":3,"a":[3]}`)
	if got := confirmed(two, nil, three); got != `> {"ack":3}` {
		t.Error(got)
	}
}
