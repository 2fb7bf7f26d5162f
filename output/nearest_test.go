package output

import (
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/jq"
)

func TestNearest(t *testing.T) {
	readings := []string{
		`{"type":"reading","data":{"temp":18.25,"id":"a"},"list":[{"n":1}]}`,
		`{"type":"status","data":{"temp":20.9,"id":"b"},"list":[]}`,
		`{"type":"reading","data":{"temp":20.5,"id":"c"},"list":[{"n":7}]}`,
		`{"type":"reading","data":{"temp":null,"alarm":false}}`,
		`{"type":"reading"}`,
	}
	limit, err := jq.ArgJSON("limit", "21")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ expr, want string }{
		{`.data.temp > 21`, "nearest .data.temp: 20.9"},
		{`.data.temp == -3`, "nearest .data.temp: 18.25"},
		{`21 < .data.temp`, "nearest .data.temp: 20.9"},
		{`(.data.temp) >= 21`, "nearest .data.temp: 20.9"},
		{`.data["temp"] > $limit`, "nearest .data.temp: 20.9"},
		{`.data.temp == 19`, "nearest .data.temp: 18.25"},
		{`select(.data.temp > 21)`, "nearest .data.temp: 20.9"},
		{`.type == "alarm"`, `last .type: "reading"`},
		{`.data.alarm`, "last .data.alarm: null"},
		{`.data.alarm == true`, "last .data.alarm: null"},
		{`.data.id | test("^x")`, `last .data.id: "c"`},
		{`.list[0].n > 10`, "nearest .list[0].n: 7"},
		{`.list[-1].n > 10`, "nearest .list[-1].n: 7"},
		{`.["data"]?.temp? > 21`, "nearest .data.temp: 20.9"},
		{`.type != "reading" and .type != "status"`, `last .type: "reading"`},
		// the nearest of those for which the rest was right
		{`.type == "reading" and .data.temp > 21`, "nearest .data.temp: 20.5"},
		{`.data.temp > 21 and (.type | startswith("read"))`, "nearest .data.temp: 20.5"},
		{`(.type | startswith("read")) and (.data.temp > 20 and .data.id == "a")`, "nearest .data.temp: 18.25"},
		// more than one path was the reason, or none that is known
		{`.type == "x" and .data.temp > 21`, ""},
		{`.type == "x" or .data.temp > 21`, ""},
		{`.data.temp > .data.limit and false`, ""},
		{`.data[] == "x"`, ""},
		{`def f: .data.temp; f > 21`, ""},
		{`.data as $d | $d.temp > 21`, ""},
		{`any(.list[]?; .n > 10)`, ""},
		{`.data.temp > ("21" | tonumber)`, ""},
		{`false`, ""},
	}
	for _, tt := range tests {
		f, err := jq.Compile("--expect", tt.expr, jq.Vars{Named: []jq.Var{limit}})
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(Options{Conditions: []Condition{Expect(f)}})
		if err := r.texts(readings...); err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		want := "--expect '" + tt.expr + "': no match in 5 events"
		if tt.want != "" {
			want += ", " + tt.want
		}
		if got := r.Unmet()[0].Missing(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// The value is shown whole, whatever the expression looks at in it.
func TestNearestIsWhole(t *testing.T) {
	r := newRig(Options{Filter: mustCompile(t, `.id`, jq.Vars{}), Conditions: []Condition{Expect(mustCompile(t, `.data | .temp == 3`, jq.Vars{}))}})
	if err := r.texts(`{"id":1,"data":{"unit":"C","temp":2}}`); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Unmet()[0].Near.String(), `last .data: {"temp":2,"unit":"C"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Numbers of every kind that a message can hold are compared as jq compares them.
func TestNearestNumbers(t *testing.T) {
	r := newRig(Options{Conditions: []Condition{Expect(mustCompile(t, `. == 100000000000000000001`, jq.Vars{}))}})
	if err := r.texts(`1`, `100000000000000000000`, `2.5e3`, `-0.5`, `"x"`, `1e999`); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Unmet()[0].Near.String(), "nearest .: 100000000000000000000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A value of any size, of which a message holds thousands, is kept as little.
func TestNearestIsBounded(t *testing.T) {
	var asked bool
	r := newRig(Options{
		Conditions: []Condition{Expect(mustCompile(t, `.text == "x"`, jq.Vars{}))},
		Redact: func(b []byte) []byte {
			asked = true
			return []byte(strings.ReplaceAll(string(b), "hunter2", "***"))
		},
	})
	if err := r.texts(`{"text":"` + strings.Repeat("é", 98) + `hunter2` + strings.Repeat("y", 1<<20) + `"}`); err != nil {
		t.Fatal(err)
	}
	near := r.Unmet()[0].Near.Value
	if len(near) > maxNear+len("…") || strings.Contains(near, "hun") || !strings.HasSuffix(near, "…") || !asked {
		t.Errorf("%d bytes kept: %s", len(near), near)
	}
	if e := r.opts.Conditions[0].(*expect).all[0]; cap(e.near.value) > 4*maxNear {
		t.Errorf("%d bytes kept", cap(e.near.value))
	}
}

// Looking for the reason says nothing a second time.
func TestReasonIsSilent(t *testing.T) {
	var stderr strings.Builder
	f := mustCompile(t, `.a == 1 and (.b | debug | . == 2)`, jq.Vars{Stderr: &stderr})
	r := newRig(Options{Conditions: []Condition{Expect(f)}})
	if err := r.texts(`{"a":1,"b":3}`); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); got != "[\"DEBUG:\",3]\n" {
		t.Errorf("stderr: %s", got)
	}
	if got := r.Unmet()[0].Near.String(); got != "last .b: 3" {
		t.Errorf("near: %s", got)
	}
}
