package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/prototest"
)

// A talk is a connection of a recipe, in fake time.
type talk struct {
	t   testing.TB
	svc *Service
	run *run
	s   *session
	now time.Time
}

// parsed is a recipe out of a text.
func parsed(t testing.TB, src string) *Recipe {
	t.Helper()
	r, err := Parse("x.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// talkOf begins a run of a recipe with values for its parameters.
func talkOf(t testing.TB, r *Recipe, values map[string]any) *talk {
	t.Helper()
	k := &talk{t: t, now: prototest.Noon}
	svc, err := r.Service(Options{
		Values: values, AckTimeout: 10 * time.Second, Now: func() time.Time { return k.now },
		Limits: Limits{Random: func() float64 { return 0.5 }},
	})
	if err != nil {
		t.Fatal(err)
	}
	k.svc, k.run = svc, svc.Start().(*run)
	return k
}

// open opens a connection, and returns its handshake and what is sent at once.
func (k *talk) open() (*proto.Handshake, prototest.Step) {
	k.t.Helper()
	hs, err := k.run.Handshake(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	k.s = hs.Session.(*session)
	return hs, prototest.StepOf(k.s.OnOpen(k.now))
}

// hear has the session look at a message.
func (k *talk) hear(text string) (prototest.Step, error) {
	return prototest.Decode(k.s, proto.Message{Data: []byte(text), Time: k.now})
}

// said describes a step in a line.
func said(step prototest.Step, err error) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, f := range step.Send {
		mark := ""
		if f.Secret {
			mark = " (withheld)"
		}
		if f.Opcode == frame.OpBinary {
			mark += " (binary)"
		}
		add("> %s%s", f.Payload, mark)
	}
	if len(step.Secrets) > 0 {
		add("secrets %v", step.Secrets)
	}
	if step.Heartbeat {
		add("answered")
	}
	if step.Resumed {
		add("resumed")
	}
	if step.Ready {
		add("ready")
	}
	if step.Event {
		add("event")
	}
	for _, e := range step.Events {
		add("event %s", e)
	}
	for _, n := range step.Numbers {
		add("number %s", n)
	}
	if step.Warning != "" {
		add("warning %s", step.Warning)
	}
	if err != nil {
		add("error %v", err)
	}
	return strings.Join(parts, "; ")
}

// want has the session look at a message, and checks what it says.
func (k *talk) want(text, want string) error {
	k.t.Helper()
	step, err := k.hear(text)
	if got := said(step, err); got != want {
		k.t.Errorf("%s\ngot:  %s\nwant: %s", text, got, want)
	}
	return err
}

// tick lets time pass, and returns what falls due.
func (k *talk) tick(d time.Duration) string {
	k.now = k.now.Add(d)
	w, err := k.s.Tick(k.now)
	return said(prototest.StepOf(w.Effects), err)
}

func TestHomeAssistant(t *testing.T) {
	k := talkOf(t, read(t, "homeassistant"), map[string]any{"token": "abcdef", "events": []any{"state_changed", "call_service"}})
	hs, step := k.open()
	if hs.URL != "ws://homeassistant.local:8123/api/websocket" || !hs.AuthLater || cmp.Diff(hs.Secrets, []string{"abcdef"}) != "" {
		t.Errorf("%+v", hs)
	}
	if got := said(step, nil); got != "" {
		t.Error(got)
	}
	k.want(`{"type":"auth_required","ha_version":"2026.11"}`, `> {"access_token":"abcdef","type":"auth"} (withheld)`)
	k.want(`{"type":"auth_ok"}`, `> {"event_type":"state_changed","id":1,"type":"subscribe_events"}; > {"event_type":"call_service","id":2,"type":"subscribe_events"}`)
	k.want(`{"id":2,"type":"result","success":true}`, "")
	if got := k.tick(time.Second); got != "" {
		t.Error(got)
	}
	k.want(`{"id":1.0,"type":"result","success":true,"result":null}`, "ready")
	k.want(`{"id":1,"type":"event","event":{"event_type":"state_changed","data":{"x":1.50}}}`, `event {"data":{"x":1.50},"event_type":"state_changed"}`)
	k.want(`hello`, "event")
	if got := k.tick(29 * time.Second); got != `> {"id":1001,"type":"ping"}` {
		t.Error(got)
	}
	k.want(`{"id":1001,"type":"pong"}`, "answered")
	if got := k.tick(30 * time.Second); got != `> {"id":1002,"type":"ping"}` {
		t.Error(got)
	}
	if got := k.tick(30 * time.Second); got != "error connection lost: no reply to the heartbeat within 30s" {
		t.Error(got)
	}

	k.open()
	err := k.want(`{"type":"auth_invalid","message":"Invalid access token"}`, "error the service refuses the credentials: Invalid access token")
	if v := k.svc.Classify(err); v.Class != proto.Credentials {
		t.Errorf("%+v", v)
	}
	err = k.want(`{"type":"result","success":false,"error":{"message":"no"}}`, "error the service refuses the request: no")
	if v := k.svc.Classify(err); v.Class != proto.Refused {
		t.Errorf("%+v", v)
	}
	if got := k.tick(10 * time.Second); got != "error no sign that the stream is ready within 10s" {
		t.Error(got)
	}
}

// Without events there is one subscription, to all.
func TestHomeAssistantAll(t *testing.T) {
	k := talkOf(t, read(t, "homeassistant"), map[string]any{"token": "abcdef", "events": []any{}})
	k.open()
	k.want(`{"type":"auth_ok"}`, `> {"id":1,"type":"subscribe_events"}`)
	k.want(`{"id":1,"type":"result","success":true}`, "ready")
}

func TestDiscord(t *testing.T) {
	k := talkOf(t, read(t, "discord"), map[string]any{"token": "abcdef"})
	hs, _ := k.open()
	if hs.URL != "wss://gateway.discord.gg/?v=10&encoding=json" || hs.Address != "wss://gateway.discord.gg/?…" {
		t.Errorf("%+v", hs)
	}
	const identify = `> {"d":{"intents":513,"properties":{"browser":"hark","device":"hark","os":"linux"},"token":"abcdef"},"op":2} (withheld)`
	k.want(`{"op":10,"d":{"heartbeat_interval":40000}}`, identify)
	k.want(`{"op":0,"s":1,"t":"READY","d":{"session_id":"s3cret","resume_gateway_url":"wss://gw.discord.gg","v":10}}`,
		`secrets [s3cret s3cret]; ready; event {"resume_gateway_url":"wss://gw.discord.gg","type":"READY","v":10}`)
	k.want(`{"op":0,"s":2,"t":"MESSAGE_CREATE","d":{"content":"hi"}}`, `event {"content":"hi","type":"MESSAGE_CREATE"}`)
	if got := k.tick(20 * time.Second); got != `> {"d":2,"op":1}` { // half of 40 s
		t.Error(got)
	}
	k.want(`{"op":11}`, "answered")
	k.want(`{"op":1}`, `> {"d":2,"op":1}`)
	if code := k.s.CloseCode(); code != 4000 {
		t.Errorf("closes with %d", code)
	}
	err := k.want(`{"op":7}`, "error the service asks to reconnect")
	if v := k.svc.Classify(err); v != (proto.Verdict{Class: proto.Transient, RetryNow: true}) {
		t.Errorf("%+v", v)
	}
	k.s.Ended(err)

	hs, _ = k.open()
	if hs.URL != "wss://gw.discord.gg/?v=10&encoding=json" || !strings.Contains(fmt.Sprint(hs.Secrets), "s3cret") {
		t.Errorf("%+v", hs)
	}
	k.want(`{"op":10,"d":{"heartbeat_interval":40000}}`, `> {"d":{"seq":2,"session_id":"s3cret","token":"abcdef"},"op":6} (withheld)`)
	k.want(`{"op":0,"s":3,"t":"X","d":{}}`, `event {"type":"X"}`)
	k.want(`{"op":0,"s":4,"t":"RESUMED","d":{}}`, "resumed; ready")
	k.want(`{"op":9,"d":false}`, "error the service asks for a new session")

	hs, _ = k.open()
	if hs.URL != "wss://gateway.discord.gg/?v=10&encoding=json" {
		t.Errorf("%+v", hs)
	}
	k.want(`{"op":10,"d":{"heartbeat_interval":40000}}`, identify)
	k.want(`{"op":0,"s":1,"t":"READY","d":{"session_id":"another"}}`, `secrets [another another]; ready; event {"type":"READY"}`)
	closed := &proto.CloseError{Code: 4009}
	k.s.Ended(closed)
	if k.run.cursor != nil || len(k.run.state) > 0 || k.svc.Classify(closed).Class != proto.Transient {
		t.Errorf("4009 leaves %v, %v", k.run.cursor, k.run.state)
	}
	if v := k.svc.Classify(&proto.CloseError{Code: 4004}); v.Class != proto.Credentials {
		t.Errorf("4004: %+v", v)
	}
}

// What the keys mean, one by one.
func TestKeys(t *testing.T) {
	const on = "\n[[on]]\nwhen = '.a'\n"
	tests := []struct {
		name, recipe string
		messages     []string // a message and what is to come of it, in turn
	}{
		{"no rule", "", []string{`{"a":1}`, "event", `text`, "event"}},
		{"ignored", "other = \"ignore\"" + on, []string{`{"a":1}`, "", `text`, ""}},
		{"no event", on, []string{`{"a":1}`, "", `{"a":false}`, "event"}},
		{"the message", on + "event = '.'", []string{`{ "a": 1 }`, "event"}},
		{"several", on + "event = '.a[]'", []string{`{"a":[1,null,"x",{"b":2}]}`, `event 1; event "x"; event {"b":2}`}},
		{"first rule", on + "event = '1'\n[[on]]\nwhen = true\nevent = 2", []string{`{"a":1}`, "event 1", `{}`, "event 2"}},
		{"sends", on + "send = '.a[]'", []string{
			`{"a":["x",null,{"b":1},{"data_base64":"AAE="},7]}`, "> x; > {\"b\":1}; > \x00\x01 (binary); > 7",
			`{"a":[{"data_base64":"?"}]}`, "event; warning recipe x, [[on]] 1, send: data_base64 is not base64",
		}},
		{"state", on + "set = '.a'\nsend = '$state'", []string{
			`{"a":{"b":1,"c":2}}`, `> {"b":1,"c":2}`, `{"a":{"b":null,"d":3}}`, `> {"c":2,"d":3}`,
			`{"a":5}`, "event; warning recipe x, [[on]] 1, set: expected an object, not a number",
		}},
		{"an error leaves the state", on + "set = '{n: (($state.n // 0) + 1)}'\nsend = 'if .a == 2 then error(\"no\") else $state.n end'", []string{
			`{"a":1}`, "> 1", `{"a":2}`, "event; warning recipe x, [[on]] 1, send: error: no", `{"a":2}`, "event", `{"a":1}`, "> 2",
		}},
		{"an error in a condition", "\n[[on]]\nwhen = '.a.b'\nevent = 1", []string{`{"a":{"b":1}}`, "event 1", `{"a":[]}`, "event"}},
		{"acknowledged", "\n[open]\nawait = '1, \"x\"'" + on + "ack = '.a'", []string{`{"a":"1"}`, "", `{"a":"x"}`, "", `{"a":1}`, "ready", `{"a":1}`, ""}},
		{"ready", on + "ready = '.a == 2'", []string{`{"a":1}`, "", `{"a":2}`, "ready", `{"a":2}`, ""}},
		{"done", on + "fail = '\"done\"'\nevent = '.'", []string{`{"a":1}`, "event; error the service has ended the stream"}},
		{"a wrong word", on + "fail = '\"bad\"'", []string{`{"a":1}`, `event; warning recipe x, [[on]] 1, fail: expected "credentials", "refused", "transient" or "done", not a string`}},
		{"separated", "framing = \"separator:|\"" + on + "event = '.'\nsend = '[1]'", []string{`{"a":1}|{"b":2}|`, `> [1]|; event {"a":1}; event {"b":2}`}},
		{"text", "framing = \"text\"\n[[on]]\nwhen = 'startswith(\"a\")'\nevent = 'ascii_upcase'", []string{`abc`, `event "ABC"`, `{"a":1}`, "event"}},
		{"unwrapped", "unwrap = '.a | fromjson'\n[[on]]\nwhen = true\nevent = '.'", []string{
			`{"a":"{\"b\": 1}"}`, `event {"b":1}`, `{"a":"x"}`, "event {\"a\":\"x\"}; warning recipe x, [connect], unwrap: fromjson cannot be applied to \"x\": invalid character 'x' looking for beginning of value",
		}},
		{"a confirmation", on + "event = '.a[]'\n[confirm]\nsend = '{ack: .id, last: $event}'", []string{`{"id":1,"a":[5,6]}`, `> {"ack":1,"last":6}; event 5; event 6`, `{"a":[]}`, ""}},
		{"a sequence", "\n[sequence]\nvalue = '.n'\nby = '.of'", []string{
			`{"n":1}`, "event; number 1 null", `{"n":5,"of":"b"}`, "event; number 5 b", `{}`, "event",
			`{"n":1.5}`, "event; warning recipe x, [sequence], value: expected an integer or null, not a number",
			`{"n":9007199254740993,"of":[1]}`, "event; number 9007199254740993 [1]",
		}},
		{"numbers of several events", on + "event = '.a[]'\n[sequence]\nvalue = '$event.n'", []string{
			`{"a":[{"n":1},{"x":1},{"n":2}]}`, `event {"n":1}; event {"x":1}; event {"n":2}; number 1; number 2`,
		}},
		{"the position", on + "event = '.a'\nsend = '$cursor'\n[cursor]\nfrom = '$event | select(. > 1)'", []string{`{"a":1}`, "event 1", `{"a":2}`, "event 2", `{"a":1}`, "> 2; event 1"}},
	}
	for _, tt := range tests {
		k := talkOf(t, parsed(t, strings.Replace(minimal, "url =", "url =", 1)+tt.recipe), nil)
		k.open()
		for i := 0; i < len(tt.messages); i += 2 {
			step, err := k.hear(tt.messages[i])
			if got := said(step, err); got != tt.messages[i+1] {
				t.Errorf("%s: %s\ngot:  %s\nwant: %s", tt.name, tt.messages[i], got, tt.messages[i+1])
			}
		}
	}
}

func TestBinary(t *testing.T) {
	k := talkOf(t, parsed(t, minimal+"[[on]]\nwhen = '.data_base64'\nevent = '.data_base64 | @base64d | fromjson'"), nil)
	k.open()
	step, err := prototest.Decode(k.s, proto.Message{Data: []byte(`{"x":1}`), Binary: true, Time: k.now})
	if got := said(step, err); got != `event {"x":1}` {
		t.Error(got)
	}
}

func TestTimers(t *testing.T) {
	k := talkOf(t, parsed(t, minimal+`
[[on]]
when = 'has("beat")'
set = '{beat: .beat}'
[[on]]
when = 'has("x")'
set = '{x}'
[[every]]
seconds = '$state.beat'
first = '$state.beat / 2'
send = '"b"'
[silence]
seconds = '$state.x'
`), nil)
	k.open()
	for _, step := range []struct {
		hear string
		pass time.Duration
		want string
	}{
		{"", time.Hour, ""}, {`{"beat":10}`, 4 * time.Second, ""}, {`{"x":60}`, time.Second, "> b"}, // the same value: it goes on
		{"", 9 * time.Second, ""}, {"", time.Second, "> b"}, {`{"beat":2}`, time.Second, "> b"}, {"", 2 * time.Second, "> b"},
		{`{"beat":null}`, 50 * time.Second, ""}, {"", 10 * time.Second, "error connection lost: no message within 1m0s"},
	} {
		if step.hear != "" {
			k.want(step.hear, "")
		}
		if got := k.tick(step.pass); got != step.want {
			t.Errorf("%+v: %s", step, got)
		}
	}
}

// An interval of a millisecond is not what a server may have hark send.
func TestFastTimer(t *testing.T) {
	k := talkOf(t, parsed(t, minimal+"[[every]]\nseconds = 0.001\nsend = '1'"), nil)
	k.open()
	n := 0
	for range 1000 {
		if k.tick(time.Millisecond) != "" {
			n++
		}
	}
	if n > 10 {
		t.Errorf("%d heartbeats in a second", n)
	}
}

func TestReconnectAddress(t *testing.T) {
	src := strings.Replace(minimal, `"wss://h"`, `"wss://h/a"`, 1) + "[[on]]\nwhen = '.to'\nreconnect = '.to'"
	for _, tt := range []struct {
		redirects bool
		to, want  string
	}{
		{false, "wss://h/b?x=1", "wss://h/b?x=1"}, {false, "wss://other/b", ""}, {true, "wss://other/b", "wss://other/b"},
		{true, "ws://h/b", ""}, {true, "file:///etc/passwd", ""}, {true, "new", "wss://h/a"},
	} {
		k := talkOf(t, parsed(t, src), nil)
		k.svc.options.Redirects = tt.redirects
		k.open()
		_, effects, err := k.s.Decode(proto.Message{Data: []byte(`{"to":"` + tt.to + `"}`), Time: k.now})
		if tt.to == "new" {
			if err == nil {
				t.Error("the connection stays")
			}
			continue
		}
		i := slices.IndexFunc(effects, func(e proto.Effect) bool { _, ok := e.(proto.Successor); return ok })
		if (i < 0) != (tt.want == "") || err != nil {
			t.Errorf("%+v: %v, %v", tt, effects, err)
		}
		if i < 0 {
			continue
		}
		hs, accept, err := effects[i].(proto.Successor).Handshake(t.Context())
		if err != nil || hs.URL != tt.want {
			t.Errorf("%+v: %+v, %v", tt, hs, err)
			continue
		}
		if k.run.attempt != 1 {
			t.Errorf("attempt %d before it is accepted", k.run.attempt)
		}
		accept()
		if k.run.attempt != 2 || k.run.url != tt.want {
			t.Errorf("attempt %d to %s", k.run.attempt, k.run.url)
		}
		if hs, _ := k.open(); hs.URL != "wss://h/a" { // an address is for once
			t.Errorf("%+v: reconnects to %s again", tt, hs.URL)
		}
	}
}

// $moved is true on the connection that replaces another one only.
func TestMoved(t *testing.T) {
	k := talkOf(t, parsed(t, strings.Replace(minimal, "url =", "pings = \"none\"\nurl =", 1)+"[[on]]\nwhen = '.to'\nreconnect = '.to'\n[[on]]\nwhen = true\nevent = '$moved'"), nil)
	hs, _ := k.open()
	k.want(`{}`, "event false")
	_, effects, _ := k.s.Decode(proto.Message{Data: []byte(`{"to":"overlap"}`), Time: k.now})
	next, accept, err := effects[len(effects)-1].(proto.Successor).Handshake(t.Context())
	if err != nil || !hs.NoPings || !next.NoPings {
		t.Fatalf("%v, pings are sent", err)
	}
	accept()
	old := k.s
	k.s = next.Session.(*session)
	k.want(`{}`, "event true")
	k.s = old
	k.want(`{}`, "event false")
}

// The handshake of a successor leaves the run alone until it is accepted. An address of
// the server takes the place of the requests.
func TestSuccessorRequests(t *testing.T) {
	o := newTicketOffice(t)
	k := talkOf(t, parsed(t, office+"\n[[on]]\nwhen = '.to'\nreconnect = '.to'"), map[string]any{"at": o.URL, "token": "s3cret"})
	k.open()
	for _, to := range []string{"overlap", "wss://h/next"} {
		o.got, o.body = nil, `{"url":"wss://h/other?ticket=t2cket"}`
		_, effects, err := k.s.Decode(proto.Message{Data: []byte(`{"to":"` + to + `"}`), Time: k.now})
		if err != nil {
			t.Fatal(err)
		}
		before := k.run.state["url"]
		hs, accept, err := effects[len(effects)-1].(proto.Successor).Handshake(t.Context())
		if err != nil || k.run.state["url"] != before {
			t.Fatalf("%v, state %v", err, k.run.state)
		}
		accept()
		switch to {
		case "overlap":
			if hs.URL != "wss://h/other?ticket=t2cket" || hs.Address != withheldAddress || len(o.got) != 1 || k.run.state["url"] != hs.URL {
				t.Errorf("%+v, %q, state %v", hs, o.got, k.run.state)
			}
		default:
			if hs.URL != to || len(o.got) != 0 {
				t.Errorf("%+v, %q", hs, o.got)
			}
		}
	}
}

// Without a credential there is nothing to withhold, and nothing that could be accepted.
func TestNothingToWithhold(t *testing.T) {
	src := "name = \"x\"\n[param.token]\nsecret = true\n[connect]\nurl = '\"wss://h/a\" + if $param.token then \"?t=\" + $param.token else \"\" end'\nheader = '{\"X-Token\": $param.token}'\n"
	hs, _ := talkOf(t, parsed(t, src), nil).open()
	if hs.Address != "wss://h/a" || len(hs.Secrets)+len(hs.Withheld) > 0 || !hs.AuthLater {
		t.Errorf("%+v", hs)
	}
	hs, _ = talkOf(t, parsed(t, src), map[string]any{"token": "s3cret"}).open()
	if hs.Address != withheldAddress || len(hs.Secrets) == 0 || len(hs.Withheld) != 1 || hs.AuthLater {
		t.Errorf("%+v", hs)
	}
}

// Whatever mentions a credential is withheld as a whole.
func TestWithheld(t *testing.T) {
	const params = "secret = [\"session\"]\nname = \"x\"\n[param.token]\nsecret = true\n[param.user]\n"
	for expr, want := range map[string]bool{
		"$param.token": true, `$param["token"]`: true, "$param": true, "$param | .token": true, `"a\($param.token)"`: true,
		"$param.user": false, "$state.session": true, "$state": true, "$cursor.session": true, "$cursor": true, "$cursor.seq": false,
		"{$param}": true, "$state | keys": true, "$now": false, "def f: $param.token; f": true, `"token"`: false,
		"$param.token | @base64": true, "[$param[]]": true, ". as $param | $param.user": false,
	} {
		r := parsed(t, params+"[connect]\nurl = '\"wss://h\"'\n[open]\nsend = '''"+expr+"'''")
		k := talkOf(t, r, map[string]any{"token": "abcdef", "user": "me"})
		_, step := k.open()
		for _, f := range step.Send {
			if f.Secret != want {
				t.Errorf("%s: withheld %v, want %v", expr, f.Secret, want)
			}
		}
		if r.open.send.secret != want {
			t.Errorf("%s: secret %v, want %v", expr, r.open.send.secret, want)
		}
	}
	r := parsed(t, params+`[connect]
url = '"wss://known.example/" + ($param.token | @base64) + "?t=" + $param.user'
header = '{Authorization: "Bearer \($param.token)", "X-A": "b"}'
subprotocol = '"v1", "t.\($param.token)"'
`)
	k := talkOf(t, r, map[string]any{"token": "abcdef", "user": "me"})
	hs, _ := k.open()
	if hs.Address != withheldAddress || hs.AuthLater || len(hs.Withheld) != 3 {
		t.Errorf("%+v", hs)
	}
	all := fmt.Sprint(hs.Secrets)
	for _, want := range []string{"abcdef", "YWJjZGVm", hs.URL, "t.abcdef"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not withheld", want)
		}
	}
	if strings.Contains(all, " known.example ") {
		t.Errorf("a host that the recipe names is withheld: %s", all)
	}
}

// Mistakes at run time are failures of the attempt, which are final.
func TestHandshakeErrors(t *testing.T) {
	for src, want := range map[string]string{
		"url = '$param[\"x\"[:1]]'":                            "[connect], url: expected an address, not null",
		"url = 'empty'":                                        "[connect], url: expected one output, not 0",
		"url = '\"nothing\"'":                                  "[connect], url: the address cannot be read",
		"url = '\"file://h/x\"'":                               "[connect], url: the address has none of the schemes",
		"url = '1/0'":                                          "[connect], url: cannot divide",
		"url = '\"wss://h\"'\nheader = '{\"a b\": 1}'":         "[connect], header: \"a b\" cannot be the name of a header",
		"url = '\"wss://h\"'\nheader = '{a: \"x\\r\\ny: z\"}'": "[connect], header: the value of the header a contains control characters",
		"url = '\"wss://h\"'\nsubprotocol = '\"a b\"'":         "[connect], subprotocol: a subprotocol cannot be a string",
	} {
		k := talkOf(t, parsed(t, "name = \"x\"\n[connect]\n"+src), nil)
		_, err := k.run.Handshake(t.Context())
		e, ok := errors.AsType[*proto.HandshakeError](err)
		if !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		} else if proto.Classify(k.svc, e) != proto.Unreachable {
			t.Errorf("%s: class %d", src, proto.Classify(k.svc, e))
		}
	}
}

func TestDescribe(t *testing.T) {
	svc := talkOf(t, parsed(t, minimal+`
[cloudevent]
id = '.id'
type = '"org.x." + .kind'
subject = '.who'
time = '.at'
data = '.data'
`), nil).svc
	d := svc.Describe(proto.Message{Data: []byte(`{"id":7,"kind":"k","at":"2026-11-30T12:00:00.5Z","data":{"x": 1}}`)})
	want := proto.Description{
		ID: "7", Source: "urn:hark:recipe:x", Type: "org.x.k", Time: time.Date(2026, 11, 30, 12, 0, 0, 5e8, time.UTC), Data: []byte(`{"x":1}`),
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{"1700000000": "2023-11-14T22:13:20Z", "1700000000000": "2023-11-14T22:13:20Z", "1700000000.25": "2023-11-14T22:13:20.25Z", "true": "0001-01-01T00:00:00Z"} {
		if got := svc.Describe(proto.Message{Data: []byte(`{"at":` + text + `}`)}).Time; got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
