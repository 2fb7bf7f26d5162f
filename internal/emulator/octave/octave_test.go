package octave

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// masterHeaders are valid credentials.
func masterHeaders() []string {
	return []string{"X-Auth-User: " + User, "X-Auth-Company: " + Company, "X-Auth-Token: " + Token}
}

func restrictedHeaders() []string {
	return []string{"X-Auth-Company: " + Company, "X-Auth-Token: " + RestrictedToken}
}

// session requests a session and returns the path of its socket.
func (b *bench) session(headers ...string) string {
	b.T.Helper()
	status, body := b.Do("POST", "/octave/session", "", headers...)
	if status != 201 {
		b.T.Fatalf("session: %d %s", status, body)
	}
	id := emulatortest.Unmarshal[struct{ Body wire.Session }](b.T, body).Body.ID
	return "/octave" + wire.SocketPath(id)
}

func (b *bench) publishOctave(path, elems string) {
	o := b.octave
	o.store.publish(o.store.find("", path), input{elems: json.RawMessage(elems), origin: byREST})
}

func subscribeTo(path string) string {
	return fmt.Sprintf(`{"msgId":"m","object":"event","type":"subscribe","path":%q}`, path)
}

const octaveOK = `{"head":{"msgId":"m","ok":true,"errors":[],"messages":["Your request has been processed successfully."]},"body":{}}`

// Octave documentation: the response is 201 with head{ok,status,errors} and an id of
// 11, a dot and 32 characters.
func TestOctaveSession(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		status, body := b.Do("POST", "/octave/session", "", masterHeaders()...)
		shape := regexp.MustCompile(`^\{"head":\{"ok":true,"status":201,"errors":\[\]\},"body":\{"id":"[\w-]{11}\.[\w-]{32}"\}\}$`)
		if status != 201 || !shape.Match(body) {
			t.Errorf("got %d %s", status, body)
		}
		if status, _ := b.Do("GET", "/octave/session", ""); status != 405 {
			t.Errorf("GET: %d", status)
		}
	})
}

func TestOctaveCredentials(t *testing.T) {
	user, company := "X-Auth-User: "+User, "X-Auth-Company: "+Company
	master, restricted := "X-Auth-Token: "+Token, "X-Auth-Token: "+RestrictedToken
	tests := []struct {
		name    string
		headers []string
		opts    func(*Options)
		status  int
	}{
		{"master", []string{user, company, master}, nil, 201},
		{"master without user", []string{company, master}, nil, 403},
		{"master of another user", []string{"X-Auth-User: x", company, master}, nil, 403},
		{"another company", []string{user, "X-Auth-Company: x", master}, nil, 403},
		{"no company", []string{user, master}, nil, 403},
		{"wrong token", []string{user, company, "X-Auth-Token: x"}, nil, 403},
		{"nothing", nil, nil, 403},
		{"restricted", []string{company, restricted}, nil, 201},
		{"restricted with user", []string{user, company, restricted}, nil, 403},
		{"restricted with user ignored", []string{user, company, restricted}, func(o *Options) { o.IgnoreUser = true }, 201},
		{"status 400", nil, func(o *Options) { o.RefusedStatus = 400 }, 400},
		{"status 401", nil, func(o *Options) { o.RefusedStatus = 401 }, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := quiet()
			if test.opts != nil {
				test.opts(&opts.Octave)
			}
			inBubble(t, opts, func(b *bench) {
				status, body := b.Do("POST", "/octave/session", "", test.headers...)
				if status != test.status {
					t.Fatalf("got %d %s, want %d", status, body, test.status)
				}
				head := emulatortest.Unmarshal[wire.Answer](t, body).Head
				if head.OK != (status == 201) || head.Status != status || (status == 201) != (len(head.Errors) == 0) {
					t.Errorf("head of %d: %s", status, body)
				}
			})
		})
	}
}

// The ids expire when no socket is opened, and with their socket.
func TestOctaveSessionLifetime(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		path := b.session(masterHeaders()...)
		time.Sleep(29 * time.Second)
		c := b.Dial(path)
		time.Sleep(40 * time.Second) // longer than the lifetime of an unused session
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantText(octaveOK)
		c.Send(frame.OpClose, string(frame.ClosePayload(1000, "")))
		c.WantClose(1000, "")
		synctest.Wait()
		if _, res := b.Upgrade(path); res.StatusCode != 404 {
			t.Errorf("session after its socket: %s", res.Status)
		}
		path = b.session(masterHeaders()...)
		time.Sleep(30 * time.Second)
		if _, res := b.Upgrade(path); res.StatusCode != 404 {
			t.Errorf("unused session after 30 s: %s", res.Status)
		}
	})
	opts := quiet()
	opts.Octave.UnknownSession = 401
	inBubble(t, opts, func(b *bench) {
		if _, res := b.Upgrade("/octave/session/no.such/ws"); res.StatusCode != 401 {
			t.Errorf("unknown session: %s", res.Status)
		}
	})
}

// With a grace period a session outlives its socket, and stores the events.
func TestOctaveGrace(t *testing.T) {
	opts := quiet()
	opts.Octave.Grace = 5 * time.Second
	inBubble(t, opts, func(b *bench) {
		path := b.session(masterHeaders()...)
		c := b.Dial(path)
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantText(octaveOK)
		c.Conn.Close()
		time.Sleep(time.Second)
		b.publishOctave(DemoStream, `{"n":1}`)
		c = b.Dial(path)
		if got := c.Text(); !strings.Contains(got, `"elems":{"n":1}`) {
			t.Errorf("after the resumption: %s", got)
		}
		c.Conn.Close()
		time.Sleep(6 * time.Second)
		if _, res := b.Upgrade(path); res.StatusCode != 404 {
			t.Errorf("after the grace: %s", res.Status)
		}
	})
}

func TestOctaveRequests(t *testing.T) {
	id := newServer(new(emulator.Host), DefaultOptions()).store.find("", DemoStream).ID
	refused := func(msgID, text string, status int) string {
		return fmt.Sprintf(`{"head":{%s"ok":false,"status":%d,"errors":[%q],"messages":[]},"body":{}}`, msgID, status, text)
	}
	notFound := refused(`"msgId":"m",`, wire.NotFound, 404)
	tests := []struct{ name, request, want string }{
		{"by path", subscribeTo(DemoStream), octaveOK},
		{"by id", fmt.Sprintf(`{"msgId":"m","object":"event","type":"subscribe","streamId":%q}`, id), octaveOK},
		{"unsubscribe", fmt.Sprintf(`{"msgId":"m","object":"event","type":"unsubscribe","streamId":%q}`, id), octaveOK},
		{"number as msgId", `{"msgId":7,"object":"event","type":"subscribe","path":"/demo/stream"}`, strings.Replace(octaveOK, `"m"`, "7", 1)},
		{"object as msgId", `{"msgId":{"a":[1]},"object":"event","type":"subscribe","path":"/demo/stream"}`, strings.Replace(octaveOK, `"m"`, `{"a":[1]}`, 1)},
		{"no msgId", `{"object":"event","type":"subscribe","path":"/demo/stream"}`, strings.Replace(octaveOK, `"msgId":"m",`, "", 1)},
		{"unknown path", subscribeTo("/demo/nothing"), notFound},
		{"unknown id", `{"msgId":"m","object":"event","type":"subscribe","streamId":"s53b1d1600cf27b75148de0ac"}`, notFound},
		{"no right", subscribeTo(DemoPrivateStream), refused(`"msgId":"m",`, "no right to read this stream", 403)},
		{"no locator", `{"msgId":"m","object":"event","type":"subscribe"}`, refused(`"msgId":"m",`, "either streamId or path is required", 400)},
		{"create", `{"msgId":"m","object":"event","type":"create","path":"/demo/stream","value":{}}`, refused(`"msgId":"m",`, "only subscribe and unsubscribe are possible here, on the object event", 400)},
		{"path of a wrong kind", `{"msgId":"m","object":"event","type":"subscribe","path":1}`, refused(`"msgId":"m",`, "the message is not a request", 400)},
		{"not JSON", `hello`, refused("", "the message is not JSON", 400)},
	}
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial(b.session(masterHeaders()...))
		for _, test := range tests {
			c.Send(frame.OpText, test.request)
			if got := c.Text(); !emulatortest.SameJSON(t, got, test.want) {
				t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
			}
		}
	})
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial(b.session(restrictedHeaders()...))
		c.Send(frame.OpText, subscribeTo(DemoLatestStream))
		c.WantText(refused(`"msgId":"m",`, "no right to read this stream", 403))
		c.Send(frame.OpText, subscribeTo("/demo/devices/pump_01/level"))
		c.WantText(octaveOK)
	})
	opts := quiet()
	opts.Octave.NeedMsgID = true
	inBubble(t, opts, func(b *bench) {
		c := b.Dial(b.session(masterHeaders()...))
		c.Send(frame.OpText, `{"object":"event","type":"subscribe","path":"/demo/stream"}`)
		c.WantQuiet(time.Second)
	})
}

// Only events after the subscription are sent, once per stream however it was
// subscribed, with the id as resource, and none after unsubscribing.
func TestOctaveEvents(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		id := b.octave.store.find("", DemoStream).ID
		c := b.Dial(b.session(masterHeaders()...))
		b.publishOctave(DemoStream, `{"n":0}`)
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantText(octaveOK)
		c.Send(frame.OpText, fmt.Sprintf(`{"msgId":"m","object":"event","type":"subscribe","streamId":%q}`, id))
		c.WantText(octaveOK)
		b.publishOctave(DemoStream, `{"n":1,"html":"<&>"}`)
		b.publishOctave(DemoUnkeptStream, `{"n":-1}`)
		got := c.Text()
		m := emulatortest.Unmarshal[wire.Message](t, []byte(got))
		e := emulatortest.Unmarshal[wire.Event](t, m.Value)
		if m.Type != "message" || m.Resource != id || e.StreamID != id || e.Path != DemoStream || string(e.Elems) != `{"n":1,"html":"<&>"}` {
			t.Errorf("got %s", got)
		}
		if want := fmt.Sprintf("e%08x", e.CreationDate/1000); !strings.HasPrefix(e.ID, want) || len(e.ID) != 25 {
			t.Errorf("id %s does not begin with the second of %d", e.ID, e.CreationDate)
		}
		c.WantQuiet(time.Second)
		c.Send(frame.OpText, strings.Replace(subscribeTo(DemoStream), "subscribe", "unsubscribe", 1))
		c.WantText(octaveOK)
		b.publishOctave(DemoStream, `{"n":2}`)
		c.WantQuiet(time.Second)
	})
}

// Heartbeats have no reply and keep the connection open; if the client sends nothing it
// is closed after 60 s.
func TestOctaveHeartbeat(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		c := b.Dial(b.session(masterHeaders()...))
		for range 5 {
			c.WantQuiet(50 * time.Second)
			c.Send(frame.OpText, `{"type":"heartbeat"}`)
		}
		c.WantQuiet(50 * time.Second)
		c.Send(frame.OpPing, "x")
		if op, payload, err := c.Read(); op != frame.OpPong || string(payload) != "x" || err != nil {
			t.Errorf("ping answered with %v %q, %v", op, payload, err)
		}
		start := time.Now()
		c.WantClose(1001, "idle")
		if d := time.Since(start).Round(time.Second); d < 60*time.Second || d > 61*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
	for _, test := range []struct {
		name  string
		opts  func(*Options)
		check func(*emulatortest.Client)
	}{
		{"reply", func(o *Options) { o.HeartbeatReply = `{"type":"heartbeat"}` }, func(c *emulatortest.Client) {
			c.Send(frame.OpText, `{"type":"heartbeat","object":""}`)
			c.WantText(`{"type":"heartbeat"}`)
		}},
		{"idle 1000", func(o *Options) { o.IdleClose = 1000 }, func(c *emulatortest.Client) { c.WantClose(1000, "idle") }},
		{"idle drop", func(o *Options) { o.IdleClose = 1006 }, func(c *emulatortest.Client) { c.WantDrop() }},
		{"no idle", func(o *Options) { o.Idle = 0 }, func(c *emulatortest.Client) { c.WantQuiet(time.Hour) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := quiet()
			test.opts(&opts.Octave)
			inBubble(t, opts, func(b *bench) { test.check(b.Dial(b.session(masterHeaders()...))) })
		})
	}
}

func TestOctaveStrict(t *testing.T) {
	opts := quiet()
	opts.Octave.Strict = true
	inBubble(t, opts, func(b *bench) {
		path := b.session(masterHeaders()...)
		c := b.Dial(path)
		if _, res := b.Upgrade(path); res.StatusCode != 404 {
			t.Errorf("second socket: %s", res.Status)
		}
		c.Send(frame.OpText, `{"msgId":"m","object":"event","type":"findmany"}`)
		c.WantClose(1008, "undocumented request")
	})
	inBubble(t, quiet(), func(b *bench) {
		path := b.session(masterHeaders()...)
		one, two := b.Dial(path), b.Dial(path)
		for _, c := range []*emulatortest.Client{one, two} {
			c.Send(frame.OpText, subscribeTo(DemoStream))
			c.WantText(octaveOK)
		}
		b.publishOctave(DemoStream, `{}`)
		if one.Text() != two.Text() {
			t.Error("two sockets of a session got different events")
		}
	})
}

// Generated events: every kind of value within the first events, each also in the
// stream of its device, and the same for the same seed.
func TestOctaveGenerated(t *testing.T) {
	run := func(seed uint64) (all []string) {
		opts := byDefault()
		opts.Seed = seed
		inBubble(t, opts, func(b *bench) {
			c := b.Dial(b.session(masterHeaders()...))
			c.Send(frame.OpText, subscribeTo(DemoStream))
			c.WantText(octaveOK)
			start := time.Now()
			for range 20 {
				m := emulatortest.Unmarshal[wire.Message](t, []byte(c.Text()))
				all = append(all, string(emulatortest.Unmarshal[wire.Event](t, m.Value).Elems))
			}
			if d := time.Since(start); d < 9*time.Second || d > 11*time.Second {
				t.Errorf("20 events took %v at 2 per second", d)
			}
		})
		return all
	}
	first := run(1)
	if again := run(1); strings.Join(first, "\n") != strings.Join(again, "\n") {
		t.Errorf("the same seed made\n%s\nand\n%s", first, again)
	}
	if other := run(2); strings.Join(first, "\n") == strings.Join(other, "\n") {
		t.Error("another seed made the same events")
	}
	kinds := map[string]bool{}
	for _, elems := range first {
		for name, v := range emulatortest.Unmarshal[map[string]any](t, []byte(elems)) {
			if name != "device" {
				kinds[fmt.Sprintf("%T", v)] = true
			}
		}
	}
	for _, kind := range []string{"float64", "string", "bool", "[]interface {}", "map[string]interface {}"} {
		if !kinds[kind] {
			t.Errorf("no value of kind %s among %s", kind, first)
		}
	}
}
