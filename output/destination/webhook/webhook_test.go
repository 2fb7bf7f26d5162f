package webhook

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/output/destination"
)

// The example of the libraries of Standard Webhooks.
func TestSign(t *testing.T) {
	key, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	(&Destination{Key: key}).sign(header, "msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if got := header.Get("Webhook-Signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
	for _, bad := range []string{"", "whsec_", "whsec_?", "x"} {
		if _, err := ParseSecret(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name      string
		handler   http.HandlerFunc
		want      string // "" is acknowledged
		transient bool
		after     time.Duration
	}{
		{"200", func(http.ResponseWriter, *http.Request) {}, "", false, 0},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", false, 0},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "HTTP status 500", true, 0},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}, "HTTP status 429", true, 7 * time.Second},
		{"408", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(408) }, "HTTP status 408", true, 0},
		{"400", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, "HTTP status 400", false, 0},
		{"301", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusMovedPermanently) }, "redirects are not followed", false, 0},
		{"half a body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}, "cut off", true, 0},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		}, "", true, 0},
		{"too late", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, "no answer within", true, 0},
	} {
		server := httptest.NewServer(tt.handler)
		client := server.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		d := &Destination{URL: server.URL + "/?token=s3cret", Client: client}
		if tt.name == "too late" {
			d.Timeout = 50 * time.Millisecond
		}
		results := make([]error, 1)
		d.Deliver(t.Context(), []destination.Record{{Data: []byte("{}")}}, results)
		server.Close()
		err := results[0]
		transient, ok := errors.AsType[*destination.TransientError](err)
		switch {
		case tt.want == "" && !tt.transient:
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		case err == nil || !strings.Contains(err.Error(), tt.want) || ok != tt.transient || strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: %v, transient %t", tt.name, err, ok)
		case ok && transient.After != tt.after:
			t.Errorf("%s: after %s", tt.name, transient.After)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	results := make([]error, 1)
	(&Destination{URL: "http://" + l.Addr().String(), Client: http.DefaultClient}).Deliver(t.Context(), []destination.Record{{}}, results)
	if _, ok := errors.AsType[*destination.TransientError](results[0]); !ok || !strings.Contains(results[0].Error(), "refused") {
		t.Errorf("a server that is away: %v", results[0])
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "0": 0, "7": 7 * time.Second, "99999999999999999999": time.Hour, "9999999": time.Hour,
		"Mon, 30 Nov 2026 12:00:30 GMT": 30 * time.Second, "Mon, 30 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// Examples of the HTTP binding of CloudEvents, and what does not fit into it.
func TestBinaryMode(t *testing.T) {
	const structured = "application/cloudevents+json; charset=utf-8"
	for _, tt := range []struct {
		event, body, contentType string
		header                   http.Header
	}{
		{`{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/json","data":{"b":1, "a":2}}`,
			`{"b":1, "a":2}`, "application/json", http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"t"}}},
		{`{"specversion":"1.0","id":"Euro € \"%","data":1}`, "1", "", http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"Euro%20%E2%82%AC%20%22%25"}}},
		{`{"specversion":"1.0","datacontenttype":"text/plain","data":"a\nb"}`, "a\nb", "text/plain", http.Header{"Ce-Specversion": {"1.0"}}},
		{`{"specversion":"1.0","datacontenttype":"application/octet-stream","data_base64":"AAE="}`, "\x00\x01", "application/octet-stream", http.Header{"Ce-Specversion": {"1.0"}}},
		{`{"specversion":"1.0","n":5,"b":true}`, "", "", http.Header{"Ce-Specversion": {"1.0"}, "Ce-N": {"5"}, "Ce-B": {"true"}}},
		{`{"a":1}`, `{"a":1}`, "application/json", http.Header{}},
		{`7`, `7`, "application/json", http.Header{}},
		{`{"specversion":"1.0","x":{"y":1}}`, `{"specversion":"1.0","x":{"y":1}}`, structured, http.Header{}},
		{`{"specversion":"1.0","data_base64":"?"}`, `{"specversion":"1.0","data_base64":"?"}`, structured, http.Header{}},
		{`{"specversion":"1.0","id":"a\r\nX: b"}`, "", "", http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"a%0D%0AX:%20b"}}},
	} {
		header := http.Header{}
		body, contentType := binaryMode([]byte(tt.event), header)
		if string(body) != tt.body || contentType != tt.contentType || len(header) != len(tt.header) {
			t.Errorf("%s: %q, %q, %v", tt.event, body, contentType, header)
		}
		for name := range tt.header {
			if header.Get(name) != tt.header.Get(name) {
				t.Errorf("%s: %v", tt.event, header)
			}
		}
	}
}
