package recipe

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto"
)

// A ticketOffice gives tickets: status and body as it is told.
type ticketOffice struct {
	*httptest.Server
	status int
	body   string
	got    []string
}

func newTicketOffice(t *testing.T) *ticketOffice {
	o := &ticketOffice{status: 200, body: `{"ok":true,"url":"wss://h/link?ticket=t1cket"}`}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.got = append(o.got, fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), body))
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(o.status)
		io.WriteString(w, o.body)
	}))
	t.Cleanup(o.Close)
	return o
}

const office = `
name = "x"
secret = ["url"]
[param.at]
[param.token]
secret = true
[[request]]
method = "POST"
url    = '$param.at + "/open"'
header = '{Authorization: "Bearer \($param.token)"}'
body   = '{attempt: $attempt}'
set    = '{url: .body.url, status: .status, kind: .header["Content-Type"]}'
[connect]
url = '$state.url'
`

// A request before an attempt makes the state, and what it says withholds the address.
func TestRequest(t *testing.T) {
	o := newTicketOffice(t)
	k := talkOf(t, parsed(t, office), map[string]any{"at": o.URL, "token": "s3cret"})
	for range 2 {
		hs, _ := k.open()
		if hs.URL != "wss://h/link?ticket=t1cket" || hs.Address != withheldAddress || !strings.Contains(fmt.Sprint(hs.Secrets), hs.URL) {
			t.Errorf("%+v", hs)
		}
	}
	want := []string{`POST /open Bearer s3cret application/json {"attempt":1}`, `POST /open Bearer s3cret application/json {"attempt":2}`}
	if diff := cmp.Diff(want, o.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if k.run.state["status"] != 200 || !strings.HasPrefix(fmt.Sprint(k.run.state["kind"]), "text/plain") {
		t.Errorf("state %v", k.run.state)
	}
}

// What the statuses of requests mean, and what fail makes of an answer.
func TestRequestFailures(t *testing.T) {
	const fail = "fail = 'if .body.ok == false then (if .body.error == \"invalid_auth\" then \"credentials\" else \"refused\" end) else null end'\nmessage = '.body.error'\n"
	for _, tt := range []struct {
		fail   string
		status int
		body   string
		class  proto.Class
		text   string
	}{
		{"", 401, "who?", proto.Credentials, "request %s/open: HTTP 401 Unauthorized: who?"},
		{"", 403, "", proto.Credentials, "request %s/open: HTTP 403 Forbidden"},
		{"", 404, "s3cret", proto.Refused, "request %s/open: HTTP 404 Not Found: ***"},
		{"", 429, "", proto.Transient, "request %s/open: HTTP 429 Too Many Requests"},
		{"", 500, "", proto.Transient, "request %s/open: HTTP 500 Internal Server Error"},
		{"", 302, "", proto.Unreachable, "request %s/open: HTTP 302 Found"},
		{fail, 200, `{"ok":false,"error":"invalid_auth"}`, proto.Credentials, "the service refuses the credentials: invalid_auth"},
		{fail, 200, `{"ok":false,"error":"no"}`, proto.Refused, "the service refuses the request: no"},
		{fail, 503, `{}`, proto.Transient, "request %s/open: HTTP 503 Service Unavailable: {}"},
		{fail, 200, `not JSON`, proto.Unreachable, "upgrade (no address): protocol error: [[request]] 1, fail: expected an object but got: string (\"not JSON\")"},
	} {
		o := newTicketOffice(t)
		o.status, o.body = tt.status, tt.body
		k := talkOf(t, parsed(t, strings.Replace(office, "[connect]", tt.fail+"[connect]", 1)), map[string]any{"at": o.URL, "token": "s3cret"})
		_, err := k.run.Handshake(t.Context())
		if err == nil || err.Error() != strings.Replace(tt.text, "%s", o.URL, 1) {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		v := k.svc.Classify(err)
		if v.Class == proto.Unknown {
			v.Class = proto.Classify(k.svc, err)
		}
		if v.Class != tt.class {
			t.Errorf("%+v: class %d, want %d", tt, v.Class, tt.class)
		}
		if e, ok := errors.AsType[*proto.HandshakeError](err); ok && tt.status == 429 && e.RetryAfter.Seconds() != 7 {
			t.Errorf("retries after %s", e.RetryAfter)
		}
	}
}

// Requests of rules are made alongside the connection, in order; one that fails ends it.
func TestRuleRequests(t *testing.T) {
	o := newTicketOffice(t)
	k := talkOf(t, parsed(t, minimal+`[param.at]
[param.token]
secret = true
[[on]]
when = '.session'
request = '.topics[] as $t | {method: "PUT", url: "\($param.at)/subscribe?t=\($t)", header: {Authorization: $param.token}, body: {session, $t}}'
`), map[string]any{"at": o.URL, "token": "s3cret"})
	k.open()
	k.want(`{"session":"s","topics":["a","b"]}`, "")
	for range 2 {
		w, err := k.s.Tick(k.now)
		if err != nil || w.Do == nil {
			t.Fatalf("%v, no work", err)
		}
		if _, err := w.Do(t.Context())(k.now); err != nil {
			t.Error(err)
		}
	}
	if w, _ := k.s.Tick(k.now); w.Do != nil {
		t.Error("there is more to do")
	}
	want := []string{
		`PUT /subscribe?t=a s3cret application/json {"session":"s","t":"a"}`, `PUT /subscribe?t=b s3cret application/json {"session":"s","t":"b"}`,
	}
	if diff := cmp.Diff(want, o.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o.status = 401
	k.want(`{"session":"s","topics":["c"]}`, "")
	w, _ := k.s.Tick(k.now)
	_, err := w.Do(t.Context())(k.now)
	if err == nil || strings.Contains(err.Error(), o.URL) || proto.Classify(k.svc, err) != proto.Credentials {
		t.Errorf("%v", err)
	}
	k.want(`{"session":"s","topics":[{"x":1}]}`, "") // an object in an address is text
	step, err := k.hear(`{"session":"s","topics":5}`)
	if got := said(step, err); !strings.Contains(got, "warning recipe x, [[on]] 1, request: ") || !strings.Contains(got, "event") {
		t.Error(got)
	}
}
