package recipe

import (
	"testing"
	"time"
)

// What an Inline amounts to is a recipe, whatever its texts have in them.
func TestInline(t *testing.T) {
	i := &Inline{
		Name: "inline", About: "a 'test'", URL: `wss://host/"path"?q='1'`,
		Header: []Pair{{"Authorization", "$param.login"}}, Subprotocols: []string{`"a"`, `$param["sub-1"]`},
		Params:    []InlineParam{{"login", true, ""}, {"sub-1", true, ""}, {"id", false, "it's\t\x7f é"}},
		Open:      []string{`{"a":'1'}`, "line\nbreak"},
		On:        []Pair{{`.type == "auth"`, `{"token": $param.login} # 'comment'`}, {`.x == "it's"`, `"pong\n"`}},
		Every:     []InlineTimer{{1500 * time.Millisecond, `{t: $now_ms}`}},
		ReadyWhen: `.id == 1`, Event: ".event // empty",
	}
	r, err := Parse("inline", i.Source())
	if err != nil {
		t.Fatalf("%v\n%s", err, i.Source())
	}
	if len(r.Params) != 3 || r.Params[2].Default != i.Params[2].Default || r.About != i.About || !r.Params[0].Secret {
		t.Errorf("%+v", r)
	}
	if reach := r.Reaches(); len(reach) != 1 || len(reach[0].Hosts) != 1 || reach[0].Hosts[0] != "wss://host" {
		t.Errorf("%+v", reach)
	}
	if _, err := Parse("inline", (&Inline{Name: "inline", URL: "ws://x"}).Source()); err != nil {
		t.Error(err)
	}
}
