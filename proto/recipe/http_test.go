package recipe

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
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

// A stream is ready when the requests of its rules have been answered.
func TestReadyAfterRequests(t *testing.T) {
	o := newTicketOffice(t)
	k := talkOf(t, parsed(t, minimal+`[param.at]
[[on]]
when = '.session'
request = '{url: $param.at}, {url: $param.at}'
ready = true
[[on]]
when = '.event'
event = '.'
`), map[string]any{"at": o.URL})
	k.open()
	k.want(`{"session":"s"}`, "")
	for i := range 2 {
		w, err := k.s.Tick(k.now)
		if err != nil || w.Do == nil {
			t.Fatalf("%v, no work", err)
		}
		done, err := w.Do(t.Context())(k.now)
		if ready := prototest.StepOf(done.Effects).Ready; err != nil || ready != (i == 1) {
			t.Errorf("request %d: ready %t, %v", i, ready, err)
		}
	}
	k.want(`{"session":null}`, "event")
}

// A request follows redirects within its origin, and to another one only if that is allowed
// and no credential goes there.
func TestRequestRedirects(t *testing.T) {
	var got []string
	var other *httptest.Server
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("X-Own"), body))
		switch status, to, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); status {
		case "end":
			io.WriteString(w, `{"url":"wss://h/end"}`)
		case "loop":
			w.Header().Set("Location", "/loop")
			w.WriteHeader(307)
		default:
			n, _ := strconv.Atoi(status)
			if to == "other" {
				to = other.URL + "/end"
			}
			w.Header().Set("Location", strings.Replace("/"+to, "/http", "http", 1))
			w.WriteHeader(n)
		}
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	other = httptest.NewServer(handler)
	defer other.Close()
	const file = `
name = "x"
[param.at]
[param.token]
secret = true
[[request]]
method = "POST"
url    = '$param.at'
header = '{"X-Own": "1"}'
body   = '{a: 1}'
set    = '{url: .body.url}'
[connect]
url = '$state.url'
`
	for _, tt := range []struct {
		path   string
		L      bool
		secret string // what it is put into
		want   string // requests, or the error
	}{
		{"/end", false, "", `POST /end 1 {"a":1}`},
		{"/302/end", false, "", `POST /302/end 1 {"a":1}; GET /end 1 `},
		{"/303/end", false, "", `POST /303/end 1 {"a":1}; GET /end 1 `},
		{"/307/301/end", false, "", `POST /307/301/end 1 {"a":1}; POST /301/end 1 {"a":1}; GET /end 1 `},
		{"/308/end", false, "header", `POST /308/end s3cret {"a":1}; POST /end s3cret {"a":1}`},
		{"/307/other", false, "", "error request SERVER/307/other: HTTP 307 Temporary Redirect: it leads to another origin, OTHER/end, which only -L allows"},
		{"/307/other", true, "", `POST /307/other 1 {"a":1}; POST /end  {"a":1}`},
		{"/307/other", true, "header", "error request SERVER/307/other: HTTP 307 Temporary Redirect: it leads to another origin, OTHER/end, where the credentials must not go"},
		{"/307/other", true, "body", "error request SERVER/307/other: HTTP 307 Temporary Redirect: it leads to another origin, OTHER/end, where the credentials must not go"},
		{"/307/other", true, "url", "error request (address withheld): HTTP 307 Temporary Redirect: it leads to another origin, where the credentials must not go"},
		{"/loop", false, "", "error request SERVER/loop: HTTP 307 Temporary Redirect: 10 redirects were followed"},
		{"/306/end", false, "", "error request SERVER/306/end: HTTP 306"},
	} {
		got = nil
		src := file
		switch tt.secret {
		case "header":
			src = strings.Replace(src, `"X-Own": "1"`, `"X-Own": $param.token`, 1)
		case "body":
			src = strings.Replace(src, `{a: 1}`, `{a: $param.token}`, 1)
		case "url":
			src = strings.Replace(src, `'$param.at'`, `'$param.at + "?t=" + $param.token'`, 1)
		}
		k := talkOf(t, parsed(t, src), map[string]any{"at": server.URL + tt.path, "token": "s3cret"})
		k.svc.options.Redirects = tt.L
		text := ""
		if _, err := k.run.Handshake(t.Context()); err != nil {
			text = "error " + strings.NewReplacer(server.URL, "SERVER", other.URL, "OTHER", "http://"+strings.TrimPrefix(other.URL, "http://"), "OTHER", "ws://"+strings.TrimPrefix(other.URL, "http://"), "OTHER").Replace(err.Error())
		} else {
			text = strings.Join(got, "; ")
		}
		if text != tt.want {
			t.Errorf("%s -L %t %s\ngot:  %s\nwant: %s", tt.path, tt.L, tt.secret, text, tt.want)
		}
	}
}
