package sequence

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// said is a finding in short.
func said(f Finding) string {
	text := f.Kind.String()
	if f.Kind != InOrder {
		text += fmt.Sprintf(" %d-%d", f.After, f.Number)
	}
	if f.Missing > 0 {
		text += fmt.Sprintf(" missing %d", f.Missing)
	}
	if f.Across {
		text += " across"
	}
	return text
}

func TestNext(t *testing.T) {
	const cut = math.MinInt64
	tests := []struct {
		name    string
		numbers []int64 // cut is a lost connection
		want    string  // what is not simply in order
	}{
		{"in order", []int64{5, 6, 7, 8}, ""},
		{"holes", []int64{1, 3, 4, 10}, "hole 1-3 missing 1, hole 4-10 missing 5"},
		{"from below zero", []int64{-2, -1, 0, 1, 3}, "hole 1-3 missing 1"},
		{"a repeat", []int64{1, 2, 2, 3}, "repeat 2-2"},
		{"late ones", []int64{5, 8, 6, 7, 9}, "hole 5-8 missing 2, late 8-6, late 8-7"},
		{"late, and then another hole", []int64{5, 7, 6, 9, 6}, "hole 5-7 missing 1, late 7-6, hole 7-9 missing 1, step-back 9-6"},
		{"a step back", []int64{100, 1, 2, 3, 5}, "step-back 100-1, hole 3-5 missing 1"},
		{"sent again", []int64{5, 6, 7, 6, 7, 8}, "step-back 7-6"},
		{"nothing missed", []int64{5, cut, 6, 7}, "in-order across"},
		{"missed", []int64{5, cut, 18, 19}, "hole 5-18 missing 12 across"},
		{"begun anew", []int64{5, 9, cut, 1, 2, cut, 3}, "hole 5-9 missing 3, step-back 9-1 across, in-order across"},
		{"begun anew in the last hole", []int64{5, 9, cut, 7, 8}, "hole 5-9 missing 3, step-back 9-7 across"},
		{"the last one again", []int64{5, cut, 5, 6}, "repeat 5-5 across"},
		{"two losses", []int64{5, cut, cut, 7}, "hole 5-7 missing 1 across"},
		{"the ends of the range", []int64{math.MaxInt64 - 1, math.MaxInt64, math.MinInt64 + 1, math.MaxInt64}, "step-back 9223372036854775807--9223372036854775807, hole -9223372036854775807-9223372036854775807 missing 18446744073709551613"},
	}
	for _, tt := range tests {
		var tr Tracker
		var got []string
		for i, n := range tt.numbers {
			if n == cut {
				tr.Interrupt()
				continue
			}
			at := noon.Add(time.Duration(i) * time.Second)
			f := tr.Next(Number{Value: n}, at)
			if f.Number != n || !f.Since.Before(at) {
				t.Errorf("%s: %d: %+v", tt.name, n, f)
			}
			if text := said(f); text != "in-order" {
				got = append(got, text)
			}
		}
		if got := strings.Join(got, ", "); got != tt.want {
			t.Errorf("%s\ngot:  %s\nwant: %s", tt.name, got, tt.want)
		}
	}
}

func TestSequences(t *testing.T) {
	var tr Tracker
	next := func(by string, n int64, want string) {
		t.Helper()
		if got := said(tr.Next(Number{by, n}, noon)); got != want {
			t.Errorf("%s %d: %s, want %s", by, n, got, want)
		}
	}
	next("a", 1, "in-order")
	next("b", 7, "in-order")
	next("a", 2, "in-order")
	next("b", 9, "hole 7-9 missing 1")
	long := strings.Repeat("x", 5000)
	next(long+"1", 1, "in-order")
	next(long+"2", 5, "in-order")
	next(long+"1", 2, "in-order")
	for key := range tr.known {
		if len(key) > maxName {
			t.Errorf("a name of %d bytes is kept", len(key))
		}
	}
	tr.Interrupt()
	if tr.Sequences() != 4 || tr.Awaited() != 4 {
		t.Errorf("%d of %d are awaited", tr.Awaited(), tr.Sequences())
	}
	next("a", 3, "in-order across")
	next("a", 4, "in-order")
	next("c", 4, "in-order") // a new one
	if tr.Sequences() != 5 || tr.Awaited() != 3 {
		t.Errorf("%d of %d are awaited", tr.Awaited(), tr.Sequences())
	}
}

// Beyond the limit, the sequence without an event for the longest time is forgotten.
func TestMax(t *testing.T) {
	var tr Tracker
	for i := range Max {
		tr.Next(Number{fmt.Sprint(i), 1}, noon)
	}
	tr.Interrupt()
	tr.Next(Number{"0", 2}, noon)
	if tr.Awaited() != Max-1 || tr.Forgotten() != 0 {
		t.Errorf("%d awaited, %d forgotten", tr.Awaited(), tr.Forgotten())
	}
	tr.Next(Number{"new", 1}, noon) // which replaces 1
	if tr.Sequences() != Max || tr.Awaited() != Max-2 || tr.Forgotten() != 1 {
		t.Errorf("%d followed, %d awaited, %d forgotten", tr.Sequences(), tr.Awaited(), tr.Forgotten())
	}
	for by, want := range map[string]string{"0": "hole 2-5 missing 2", "1": "in-order"} {
		if got := said(tr.Next(Number{by, 5}, noon)); got != want {
			t.Errorf("%s: %s, want %s", by, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	huge, _ := new(big.Int).SetString("9223372036854775808", 10)
	for _, tt := range []struct {
		v    any
		want int64
		ok   bool
	}{
		{5, 5, true}, {-5.0, -5, true}, {2.5, 0, false}, {json.Number("9007199254740993"), 9007199254740993, true},
		{json.Number("1e3"), 1000, true}, {json.Number("1.5"), 0, false}, {json.Number("9223372036854775808"), 0, false},
		{big.NewInt(7), 7, true}, {huge, 0, false}, {"5", 0, false}, {nil, 0, false}, {true, 0, false},
		{math.NaN(), 0, false}, {math.Inf(1), 0, false}, {1e300, 0, false},
	} {
		if n, ok := ValueOf(tt.v); ok != tt.ok || ok && n != tt.want {
			t.Errorf("%v: %d, %t", tt.v, n, ok)
		}
	}
	for _, tt := range []struct {
		v    any
		want string
	}{
		{"BTC/USD", "BTC/USD"}, {nil, "null"}, {1, "1"}, {json.Number("1.0"), "1"}, {[]any{"a", 1}, `["a",1]`}, {true, "true"},
	} {
		if got, err := NameOf(tt.v); got != tt.want || err != nil {
			t.Errorf("%v: %s, %v", tt.v, got, err)
		}
	}
}
