package transcript

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hark-cli/hark/internal/jq"
)

const sample = `## how it is said
# case happy
# params token=abc query="subscription { a => \"b\" }" events=x events=y=z
> request .method == "POST" and .url != "=>"   => 200 {"ok": true}
# open .url | endswith("17")
# open => 403 go away
< {"type": "auth_required"} 
<
# live
<b AAEC
> .type == "auth"
= ready
= event {"a": [1, 2.5]}
= gap
+ 1m30s
! close 4004 bad token
! cut
= exit 5

# case another
# open
= exit 0
`

func TestParse(t *testing.T) {
	f, err := Parse("x.txt", []byte("\ufeff"+strings.ReplaceAll(sample, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.Cases {
		got = append(got, fmt.Sprintf("case %q line %d live %d %q", c.Name, c.Line, c.Live, c.Params))
		for _, s := range c.Steps {
			match := ""
			if s.Match != nil {
				match = s.Match.String()
			}
			got = append(got, fmt.Sprintf("%d: kind %d, %q %d %q %t %d %q %s %v", s.Line, s.Kind, match, s.Status, s.Data, s.Binary, s.Code, s.Reason, s.Duration, s.Value))
		}
	}
	want := []string{
		`case "happy" line 2 live 5 [{"token" "abc"} {"query" "subscription { a => \"b\" }"} {"events" "x"} {"events" "y=z"}]`,
		`4: kind 1, ".method == \"POST\" and .url != \"=>\"   " 200 "{\"ok\": true}" false 0 "" 0s <nil>`,
		`5: kind 0, ".url | endswith(\"17\")" 101 "" false 0 "" 0s <nil>`,
		`6: kind 0, "" 403 "go away" false 0 "" 0s <nil>`,
		`7: kind 3, "" 0 "{\"type\": \"auth_required\"} " false 0 "" 0s <nil>`,
		`8: kind 3, "" 0 "" false 0 "" 0s <nil>`,
		`10: kind 3, "" 0 "\x00\x01\x02" true 0 "" 0s <nil>`,
		`11: kind 2, ".type == \"auth\"" 0 "" false 0 "" 0s <nil>`,
		`12: kind 7, "" 0 "" false 0 "" 0s <nil>`,
		`13: kind 8, "" 0 "" false 0 "" 0s map[a:[1 2.5]]`,
		`14: kind 9, "" 0 "" false 0 "" 0s <nil>`,
		`15: kind 6, "" 0 "" false 0 "" 1m30s <nil>`,
		`16: kind 4, "" 0 "" false 4004 "bad token" 0s <nil>`,
		`17: kind 5, "" 0 "" false 0 "" 0s <nil>`,
		`18: kind 10, "" 0 "" false 5 "" 0s <nil>`,
		`case "another" line 20 live -1 []`,
		`21: kind 0, "" 101 "" false 0 "" 0s <nil>`,
		`22: kind 10, "" 0 "" false 0 "" 0s <nil>`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A mistake is shown where it stands.
func TestMistakes(t *testing.T) {
	const open = "# case a\n# open\n"
	for _, tt := range []struct{ text, place, msg string }{
		{"", "1:1", "no case"},
		{"## nothing\n", "1:1", "no case"},
		{"< x", "1:1", "before the first # case"},
		{"# open", "1:3", "before the first # case"},
		{"hello", "1:1", `unknown mark "hello"`},
		{"#case a", "1:1", `unknown mark "#case"`},
		{"# lvie", "1:3", `unknown directive "lvie"`},
		{"# case", "1:7", "has a name"},
		{open + "# case a", "3:8", "line 1 has a case of this name"},
		{"# case a\n# case b", "2:1", "nothing happens in the case of line 1"},
		{"# case a\n\n", "3:1", "nothing happens"},
		{"# case a\n= ready", "2:1", "begins with # open or > request"},
		{open + "# params a=b", "3:3", "before all that happens"},
		{"# case a\n# params a", "2:10", "NAME=VALUE"},
		{"# case a\n# params a=b c", "2:14", "NAME=VALUE"},
		{"# case a\n# params a=\"b", "2:12", "not a JSON string"},
		{"# case a\n# params a=\"b\"c=d", "2:15", "a space"},
		{"# case a\n# open .a ==", "2:13", "unexpected"},
		{"# case a\n# open .a = 1", "2:11", "assignment"},
		{"# case a\n# open .a => x", "2:14", "HTTP status"},
		{"# case a\n> request .a", "2:13", "=> STATUS"},
		{open + "# live x", "3:8", "no arguments"},
		{open + "# live\n< x\n# live", "5:3", "line 3 has # live"},
		{open + "# live\n= ready\n# case b\n# open", "5:1", "after the # live of line 3"},
		{open + "<b AA", "3:4", "not base64"},
		{open + "é", "3:1", "unknown mark"},
		{open + "< \xff", "3:1", "not UTF-8"},
		{open + "> ", "3:3", "expected a jq expression"},
		{open + "> nothing", "3:3", "function not defined"},
		{open + "> .a == \"é\" + nothing", "3:15", "function not defined"},
		{open + "> .a == env.HOME", "3:9", "env"},
		{open + "> input", "3:3", "input"},
		{open + "= redy", "3:3", `unknown outcome "redy"`},
		{open + "= ready now", "3:9", "no arguments"},
		{open + "= event {\"é\": x}", "3:15", ""},
		{open + "= event", "3:8", ""},
		{open + "= exit 256", "3:8", "exit code"},
		{open + "= exit 0\n< x", "4:1", "after = exit"},
		{open + "+ 30", "3:3", "a time"},
		{open + "+ -1s", "3:3", "a time"},
		{open + "! stop", "3:3", `unknown end "stop"`},
		{open + "! cut 1", "3:7", "no arguments"},
		{open + "! close 99", "3:9", "close code"},
		{open + "! close 1000 " + strings.Repeat("x", 124), "3:14", "123 bytes"},
	} {
		_, err := Parse("x.txt", []byte(tt.text))
		e, ok := errors.AsType[*jq.Error](err)
		if !ok || !strings.HasPrefix(err.Error(), "x.txt:"+tt.place+": ") || !strings.Contains(e.Msg, tt.msg) {
			t.Errorf("%q: %v, want %s: …%s…", tt.text, err, tt.place, tt.msg)
		}
	}
}

func TestLive(t *testing.T) {
	f, err := Parse("x.txt", []byte("# case a\n# open\n# case b\n# open\n# live\n+ 1s\n< x\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Case{Name: "b", Line: 3, Live: 1, Steps: []Step{
		{Kind: Open, Line: 4, Text: "# open", Status: 101},
		{Kind: Pass, Line: 6, Text: "+ 1s", Duration: time.Second},
		{Kind: Serve, Line: 7, Text: "< x", Data: []byte("x")},
	}}
	if diff := cmp.Diff(want, f.Live(), cmpopts.IgnoreUnexported(Predicate{})); diff != "" {
		t.Error(diff)
	}
	f, err = Parse("x.txt", []byte("# case a\n# open\n"))
	if err != nil || f.Live() != nil {
		t.Errorf("%v, %v", f, err)
	}
}

// Whatever the text, a mistake is within it.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("x.txt", []byte(text))
		if err == nil {
			return
		}
		e, ok := errors.AsType[*jq.Error](err)
		if !ok || e.Offset < 0 || e.Offset > len(e.Expr) || e.Caret() == "" {
			t.Fatalf("%q: %#v", text, err)
		}
	})
}
