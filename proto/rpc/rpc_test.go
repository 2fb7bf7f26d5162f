package rpc

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/jq"
)

var limits = jq.Options{Timeout: time.Minute, MaxOutputs: 10, MaxValue: 1 << 20}

func TestRequest(t *testing.T) {
	custom := JSONRPC()
	if err := custom.Customize(Expressions{Request: `[$id, $method] + ($params // [])`}, limits); err != nil {
		t.Fatal(err)
	}
	text := JSONRPC()
	if err := text.Customize(Expressions{Request: `"\($method) \($id)"`}, limits); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name           string
		d              *Dialect
		method, params string
		want           string
	}{
		{"JSON-RPC", JSONRPC(), "a.b", `[1, 2]`, `{"jsonrpc":"2.0","id":7,"method":"a.b","params":[1, 2]}`},
		{"no parameters", JSONRPC(), `"`, "", `{"jsonrpc":"2.0","id":7,"method":"\""}`},
		{"DevTools", DevTools(), "Browser.getVersion", "{}", `{"id":7,"method":"Browser.getVersion","params":{}}`},
		{"custom", custom, "add", "[1.50]", `[7,"add",1.50]`},
		{"custom without parameters", custom, "add", "", `[7,"add"]`},
		{"custom text", text, "ping", "", "ping 7"},
	} {
		got, err := tt.d.Request(t.Context(), 7, tt.method, []byte(tt.params))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	for expr, want := range map[string]string{"empty": "0 values", "1, 2": "2 values", "$params.x": "--request"} {
		d := JSONRPC()
		if err := d.Customize(Expressions{Request: expr}, limits); err != nil {
			t.Fatal(err)
		}
		if b, err := d.Request(t.Context(), 1, "m", []byte("[1]")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v", expr, b, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	custom := JSONRPC()
	if err := custom.Customize(Expressions{Match: ".re == $id", Fault: ".oops"}, limits); err != nil {
		t.Fatal(err)
	}
	faults := JSONRPC()
	if err := faults.Customize(Expressions{Fault: ".status | select(. != 200)"}, limits); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, message string
		d             *Dialect
		answers       bool
		result, fault string
		broken        bool
	}{
		{"a result", `{"jsonrpc":"2.0","id":7,"result":{"b":1, "a":1e2}}`, JSONRPC(), true, `{"b":1, "a":1e2}`, "", false},
		{"null", `{"id":7,"result":null}`, JSONRPC(), true, "null", "", false},
		{"an id as a float", `{"id":7.0,"result":1}`, JSONRPC(), true, "1", "", false},
		{"an error", `{"id":7,"error":{"code":-1}}`, JSONRPC(), true, "", `{"code":-1}`, false},
		{"an error of null", `{"id":7,"error":null,"result":1}`, JSONRPC(), true, "1", "", false},
		{"neither", `{"id":7}`, JSONRPC(), true, "", "", true},
		{"another id", `{"id":8,"result":1}`, JSONRPC(), false, "", "", false},
		{"an id as text", `{"id":"7","result":1}`, JSONRPC(), false, "", "", false},
		{"another member", `{"ID":7,"result":1}`, JSONRPC(), false, "", "", false},
		{"a request of the server's", `{"id":7,"method":"ping"}`, JSONRPC(), false, "", "", false},
		{"a notification", `{"method":"ping"}`, JSONRPC(), false, "", "", false},
		{"no JSON", `7`, JSONRPC(), false, "", "", false},
		{"no JSON", `{`, JSONRPC(), false, "", "", false},
		{"custom", `{"re":7}`, custom, true, `{"re":7}`, "", false},
		{"custom error", `{"re":7,"oops":"x"}`, custom, true, "", `"x"`, false},
		{"custom, another", `{"id":7}`, custom, false, "", "", false},
		{"custom, text", `hello`, custom, false, "", "", false},
		{"custom fault", `{"id":7,"status":500,"result":1}`, faults, true, "", "500", false},
		{"no custom fault", `{"id":7,"status":200,"result":1}`, faults, true, "1", "", false},
	} {
		m := tt.d.Read([]byte(tt.message))
		answers, err := m.Answers(t.Context(), 7)
		if answers != tt.answers || tt.d != custom && err != nil {
			t.Errorf("%s: answers %t, %v", tt.name, answers, err)
		}
		if !answers {
			continue
		}
		result, fault, err := m.Outcome(t.Context(), 7)
		if string(result) != tt.result || string(fault) != tt.fault || (err != nil) != tt.broken {
			t.Errorf("%s: result %s, error %s, %v", tt.name, result, fault, err)
		}
	}
	if !JSONRPC().Read([]byte(`{"id":null,"error":{"code":-32700}}`)).Anonymous() || JSONRPC().Read([]byte(`{"id":null,"result":1}`)).Anonymous() {
		t.Error("an error without an id is not recognized")
	}
}

func TestCustomizeErrors(t *testing.T) {
	for _, e := range []Expressions{{Request: "$nope"}, {Match: "env"}, {Fault: "("}, {Match: "$method"}} {
		err := JSONRPC().Customize(e, limits)
		if _, ok := errors.AsType[*jq.Error](err); !ok {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"id":7,"result":1}`))
	f.Add([]byte(`{"id":null,"error":{}}`))
	custom := DevTools()
	if err := custom.Customize(Expressions{Match: ".id == $id", Fault: ".error"}, limits); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range []*Dialect{JSONRPC(), custom} {
			m := d.Read(data)
			if ok, _ := m.Answers(t.Context(), 7); !ok {
				continue
			}
			result, fault, err := m.Outcome(t.Context(), 7)
			if n := len(result) + len(fault); err == nil && n == 0 {
				t.Errorf("%q: neither a result nor an error", data)
			}
		}
	})
}
