package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read reads a recipe of testdata.
func read(t testing.TB, name string) *Recipe {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(name+".toml", src)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParse(t *testing.T) {
	r := read(t, "homeassistant")
	want := []Param{
		{Name: "url", Type: String, Default: "ws://homeassistant.local:8123/api/websocket"},
		{Name: "token", Type: String, Secret: true, About: "long-lived access token"},
		{Name: "events", Type: String, Arg: true, Repeat: true, About: "event types; all without any"},
	}
	if diff := cmp.Diff(want, r.Params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if r.Name != "homeassistant" || r.About == "" || len(r.rules) != 7 || len(r.timers) != 1 {
		t.Errorf("%+v", r)
	}
	d := read(t, "discord")
	if d.limit.frames != 120 || d.closing.code != 4000 || len(d.secrets) != 1 || len(d.rules) != 7 || d.Params[1].Default != 513 {
		t.Errorf("%+v", d)
	}
	if got := fmt.Sprint(d.Reaches()); !strings.Contains(got, "{[connect], url [wss://gateway.discord.gg] [] true true (") {
		t.Errorf("it reaches %s", got)
	}
	if got := fmt.Sprint(r.Reaches()); got != "[{[connect], url [ws://homeassistant.local:8123] [url] false false $param.url}]" {
		t.Errorf("it reaches %s", got)
	}
}

// An address that an expression puts together may be another one than those that it
// names.
func TestReaches(t *testing.T) {
	const params = "name = 'x'\n[param.a]\ndefault = 'wss://a.example/x'\n[param.b]\ndefault = 'wss://b.example'\n[param.c]\n[connect]\nurl = '''%s'''\n"
	for text, want := range map[string]string{
		`"wss://h.example"`:                       "[wss://h.example] [] false false",
		`"wss://h.example/x" + $param.c`:          "[wss://h.example] [] false false",
		` "wss://h.example?c=" + $cursor`:         "[wss://h.example] [] false false",
		` "wss://h.example?c=\($cursor)"`:         "[wss://h.example] [] true true",
		`$param.a + ([1, 2] | "?\(.)" | @uri)`:    "[wss://a.example] [a] false true",
		`$param.a + ([1, 2] | join("&"))`:         "[wss://a.example] [a] false false",
		`"wss://h.example" + $param.c`:            "[wss://h.example] [c] false true",
		`"wss://h.example\($param.c)/"`:           "[wss://h.example] [c] false true",
		`"wss://h.example@i.example/"`:            "[wss://h.example@i.example] [] false true",
		`"wss:" + "//h.example"`:                  "[] [] false true",
		`"wss://h.example/" | sub("h"; "i")`:      "[wss://h.example] [] false true",
		`$param.a + "?x"`:                         "[wss://a.example] [a] false false",
		`$param.b`:                                "[wss://b.example] [b] false false",
		`$param.b + ".i.example"`:                 "[wss://b.example] [b] false true",
		`$param.c`:                                "[] [c] false false",
		`$param.c | ltrimstr("x")`:                "[] [c] false true",
		`$state.url // "wss://h.example/"`:        "[wss://h.example] [] true true",
		`if $now > 5 then "wss://h.example/" end`: "[wss://h.example] [] false true",
	} {
		r, err := Parse("x.toml", fmt.Appendf(nil, params, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := fmt.Sprint(r.Reaches()); got != "[{[connect], url "+want+" "+text+"}]" {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// minimal is a recipe to which a test adds a mistake.
const minimal = "name = \"x\"\n[connect]\nurl = '\"wss://h\"'\n"

func TestMistakes(t *testing.T) {
	tests := []struct {
		src  string
		want string // of one line each
	}{
		{"name = ", "x.toml:1:7: "},
		{"", "x.toml:1:1: missing key: name\nx.toml:1:1: missing table: [connect], with the url"},
		{"name = 5\n[connect]\nurl = true", "x.toml:1:8: name: expected a string, not a number\nx.toml:1:8: name: expected lower-case\nx.toml:3:7: [connect], url: expected a jq expression that yields an address, not a boolean"},
		{"nme = \"x\"\n" + minimal, "x.toml:1:1: unknown key in a recipe: nme; expected one of about, "},
		{minimal + "[[on]]\nwhen = '.a'\nwen = 1\n", "x.toml:6:1: unknown key in [[on]]: wen; expected one of ack, "},
		{minimal + "[[on]]\nsend = '.a'\n", "x.toml:4:1: [[on]] 1: missing key: when"},
		{minimal + "[[request]]\nurl = 3\n", "x.toml:5:7: [[request]] 1, url: expected a jq expression that yields an address, not a number"},
		{minimal + "[on]\nwhen = '.a'\n", "x.toml:4:1: on: expected a list of tables, written [[on]], not a table"},
		{minimal + "[[on]]\nwhen = [1]\n", "x.toml:5:8: [[on]] 1, when: expected a jq expression in quotes, a number or a boolean, not a list"},
		{minimal + "[[on]]\nwhen = '.a =='\n", "x.toml:5:14: [[on]] 1, when: unexpected end of the expression"},
		{minimal + "[[on]]\nwhen = '''\n.a and\n  foo'''\n", "x.toml:7:3: [[on]] 1, when: function not defined: foo/0"},
		{minimal + "[[on]]\nwhen = \".a == \\\"\\u00e9\\\" and $paran.x\"\n", "x.toml:5:30: [[on]] 1, when: variable not defined: $paran"},
		{minimal + "[[on]]\nwhen = '$event'\n", "x.toml:5:9: [[on]] 1, when: variable not defined: $event"},
		{minimal + "[cloudevent]\nid = '$state.x'\n", "x.toml:5:7: [cloudevent], id: $state cannot be used here: the event and $param are all that [cloudevent] sees"},
		{minimal + "[[on]]\nwhen = '.a == $param.nope'\n", "x.toml:5:15: [[on]] 1, when: $param.nope is not declared"},
		{minimal + "[param.a]\n[[on]]\nwhen = '\"\\($param.a) $param.x \\($param[\"b-c\"])\"'\n", "x.toml:6:33: [[on]] 1, when: $param.b-c is not declared: expected one of a"},
		{minimal + "[param.a]\nsecret = true\n[[on]]\nwhen = true\nset = '$param | {x: .a} | with_entries(.)'\n", "x.toml:8:7: [[on]] 1, set: it copies a credential, so its keys must be written out, such as {key: $param.token}"},
		{minimal + "[[on]]\nwhen = true\nmessage = '.x'\n", "x.toml:6:11: [[on]] 1, message: there is no key fail, whose message it would be"},
		{minimal + "[limit]\nframes = 0\n", "x.toml:4:1: [limit]: missing key: per\nx.toml:5:10: [limit], frames: expected an integer from 1 to 1000000"},
		{minimal + "[limit]\nframes = 1\nper = \"week\"\n", "x.toml:6:7: [limit], per: expected a duration"},
		{minimal + "[close]\ncode = 1005\n", "x.toml:5:8: [close], code: a close frame cannot have this code"},
		{minimal + "[close]\nnew = [4000, 99]\n", "x.toml:5:14: [close], new: expected a status code from 1000 to 4999"},
		{minimal + "[confirm]\nsend = '1'\non = \"sent\"\n", "x.toml:6:6: [confirm], on: expected received or delivered"},
		{strings.Replace(minimal, "[connect]", "[connect]\nframing = \"xml\"", 1), "x.toml:3:11: [connect], framing: expected \"json\""},
		{minimal + "[param.A]\n", "x.toml:4:1: [param.A]: expected lower-case letters"},
		{minimal + "[param.a-b]\n[param.a_b]\n", "x.toml:5:1: [param.a_b]: has the same environment variable as a-b"},
		{minimal + "[param.a]\ntype = \"number\"\ndefault = \"1\"\n", "x.toml:6:11: [param.a], default: expected a value of the type number, not a string"},
		{minimal + "[param.a]\narg = true\nrepeat = true\n[param.b]\narg = true\n", "x.toml:7:1: [param.b]: an argument cannot follow a, which is repeatable"},
		{minimal + "[param.a]\nsecret = true\ntype = \"json\"\n", "x.toml:5:10: [param.a], secret: only a string can be a credential"},
	}
	for _, tt := range tests {
		_, err := Parse("x.toml", []byte(tt.src))
		list, ok := errors.AsType[Errors](err)
		if !ok {
			t.Errorf("%s\n%v", tt.src, err)
			continue
		}
		got := strings.Split(list.Error(), "\n")
		for i, want := range strings.Split(tt.want, "\n") {
			if i >= len(got) || !strings.HasPrefix(got[i], want) {
				t.Errorf("%s\ngot:  %s\nwant: %s", tt.src, strings.Join(got, "\n      "), tt.want)
				break
			}
		}
	}
}

func TestCaret(t *testing.T) {
	_, err := Parse("x.toml", []byte(minimal+"[[on]]\nwhen = '\"é\" | foo'\n"))
	e, ok := errors.AsType[*Error](err)
	if want := "    when = '\"é\" | foo'\n                  ^"; !ok || e.Caret() != want {
		t.Errorf("%v\n%s\nwant:\n%s", err, e.Caret(), want)
	}
}

func TestValue(t *testing.T) {
	for _, tt := range []struct {
		kind Type
		text string
		want string
	}{
		{String, "5", `"5"`}, {Number, "5", "5"}, {Number, "1.50", "1.50"}, {Number, "x", "error"}, {Number, "0x1p3", "error"},
		{Bool, "true", "true"}, {Bool, "yes", "error"}, {JSON, `{"a":[1]}`, `map[a:[1]]`}, {JSON, "{", "error"},
	} {
		v, err := Param{Type: tt.kind}.Value(tt.text)
		got := fmt.Sprint(v)
		if s, ok := v.(string); ok {
			got = fmt.Sprintf("%q", s)
		}
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.kind, tt.text, got, tt.want)
		}
	}
}

// Whatever a file says, reading it ends, and each mistake has a place in it.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"homeassistant", "discord"} {
		src, err := os.ReadFile(filepath.Join("testdata", name+".toml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Add(minimal + "[param]\na = 1\n[[request]]\nurl = 1\n")
	f.Add(minimal + "on = [{when = 'true', set = \"{}\"}]\n")
	f.Fuzz(func(t *testing.T, src string) {
		_, err := Parse("x.toml", []byte(src))
		if err == nil {
			return
		}
		list, ok := errors.AsType[Errors](err)
		if !ok || len(list) == 0 {
			t.Fatalf("%v", err)
		}
		for _, e := range list {
			if e.Position.Line < 1 || e.Position.Line > strings.Count(src, "\n")+1 {
				t.Errorf("%v", e)
			}
			e.Caret()
		}
	})
}

// What credentials are copied into is a credential, too, and what it is copied into.
func TestTaint(t *testing.T) {
	r := parsed(t, minimal+`[param.token]
secret = true
[[request]]
url = '"https://h"'
set = '{open: .body.x, a: {t: $param.token}, "b": ["\($param.token)"]}'
[[on]]
when = true
set  = 'if .x then {n: (($state.n // 0) + 1), "c": $state.a.t} else ({d: 1} + {e: $state.e}) end, null'
send = '$state.c'
[[on]]
when = true
set  = '$state.b as $x | {f: 1}'
send = '$state.n, $state.open, $state.d'
[cursor]
from = '{g: ($event.t // $state.c), at: .at}'
`)
	slices.Sort(r.secrets)
	if got := strings.Join(r.secrets, " "); got != "a b c f g" {
		t.Errorf("secrets: %s", got)
	}
	if !r.rules[0].send.secret || r.rules[1].send.secret {
		t.Error("what is sent is not withheld as it should be")
	}
}
