package prompt

import (
	"io"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

func TestVisible(t *testing.T) {
	tests := []struct{ text, want string }{
		{"plain 日本語\n\ttext", "plain 日本語\n\ttext"},
		{"\x1b]0;title\x07", "␛]0;title␇"},
		{"a\rb\x00\x7f", "a␍b␀␡"},
		{"\u009b31m", "<U+009B>31m"},
		{"a\u202eb", "a<U+202E>b"},
		{"\xff", "\uFFFD"},
	}
	for _, tt := range tests {
		if got := Visible(tt.text); got != tt.want {
			t.Errorf("visible(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestUnfinished(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{`{"a":`, true}, {`{"a":1`, true}, {`[1,`, true}, {"{\n", true}, {"[", true}, {`  {"a":[`, true},
		{`{"a":1}`, false}, {`[]`, false}, {`{hello`, false}, {`{"a`, false}, {``, false}, {`"a`, false}, {`{"a":1}}`, false}, {`[1 2`, false},
	}
	for _, tt := range tests {
		if got := unfinished(tt.text); got != tt.want {
			t.Errorf("unfinished(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
}

// The conditions of /save contain no credentials, and match the message.
func TestExpectationWithholds(t *testing.T) {
	for _, message := range []string{
		`passphrase: CanaryA CanaryB`,
		`{"password":["CanaryA"],"n":1}`,
		`{"credentials":{"login":"CanaryA","pin":77},"n":[1]}`,
		`{"method":"mining.authorize","params":["u","CanaryA"]}`,
		`{"method":"mining.authorize","params":"CanaryA"}`,
		`["login","CanaryA"]`,
		`{"line":"HELLO 3 AUTH default CanaryA"}`,
		`{"again":{"CanaryA":1},"password":"CanaryA"}`,
	} {
		expr := expectation([]byte(message), func(s string) string { return s })
		f, err := jq.Compile("--until", expr, jq.Vars{})
		if err != nil {
			t.Fatalf("%s: %s: %v", message, expr, err)
		}
		if strings.Contains(expr, "Canary") || !matches(t, f, message) {
			t.Errorf("%s: the expectation is %s", message, expr)
		}
	}
}

// The conditions of /save match the message itself and similar ones, and no others.
func TestExpectation(t *testing.T) {
	as := func(s string) string { return s }
	tests := []struct {
		message string
		like    []string
		unlike  []string
	}{
		{
			`{"id":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","time":"2026-11-23T20:00:00Z","type":"order","n":5,"x-y":{"ok":true},"list":[1,null,"a"]}`,
			[]string{`{"id":"other","time":"2027","type":"order","n":5,"x-y":{"ok":true},"list":[1,null,"a","more"]}`},
			[]string{`{"id":"6f9619ff","time":"2026","type":"offer","n":5,"x-y":{"ok":true},"list":[1,null,"a"]}`, `{}`, `7`},
		},
		{`[["x"]]`, []string{`[["x"],1]`}, []string{`[["y"]]`, `["x"]`}},
		{`hello "you"`, []string{`"hello \"you\""`}, []string{`"hello"`}},
		{`1732390000123`, []string{`1732390000999`}, []string{`"1"`}},
		{`{}`, []string{`{}`}, []string{`[]`}},
		{
			`{"uri":"https://v3.example.com:8080/v3/orders/1001?x=1"}`,
			[]string{`{"uri":"https://v3.example.com:8080/v3/orders/77"}`},
			[]string{`{"uri":"https://v3.example.com:8080/v3/tables/1001"}`, `{"uri":7}`},
		},
		{`{"path":"/demo/stream"}`, nil, []string{`{"path":"/demo/other"}`}},
		{`{"code":"7147","n":"410"}`, []string{`{"code":"0000","n":"410"}`}, []string{`{"code":"1","n":"411"}`}},
	}
	for _, tt := range tests {
		expr := expectation([]byte(tt.message), as)
		for _, c := range []struct {
			list []string
			want bool
		}{{append(tt.like, tt.message), true}, {tt.unlike, false}} {
			for _, message := range c.list {
				f, err := jq.Compile("--until", expr, jq.Vars{})
				if err != nil {
					t.Fatalf("%s: %s: %v", tt.message, expr, err)
				}
				if got := matches(t, f, message); got != c.want {
					t.Errorf("%s is %v of %s, want %v", expr, got, message, c.want)
				}
			}
		}
	}
}

// matches reports whether a stream ends with message because of f.
func matches(t *testing.T, f *jq.Filter, message string) bool {
	t.Helper()
	w := output.New(io.Discard, output.Options{Conditions: []output.Condition{output.Until(f)}})
	return w.Event(&proto.Event{Message: proto.Message{Data: []byte(message)}}) != nil
}
