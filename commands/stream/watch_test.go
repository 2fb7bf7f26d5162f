package stream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// Expressions say the same natively and by gojq, alone and beside each other.
func TestTableEvent(t *testing.T) {
	summary := func(proto.Message) proto.Summary {
		return proto.Summary{What: "level", From: "pump", Data: []byte(" 3 ")}
	}
	for _, tt := range []struct {
		by, value, data string
		summary         func(proto.Message) proto.Summary
		key, want       string
		numbers         uint64
	}{
		{data: `{"a":1}`, key: "events", want: `{"a":1}`},
		{data: "text", key: "events", want: "text"},
		{summary: summary, data: `{}`, key: "pump level", want: "3", numbers: 1},
		{by: ".k", value: ".v", data: `{"k":"x","v":1.5}`, key: "x", want: "1.5", numbers: 1},
		{by: ".k", value: ".v", data: `{"k":1}`, key: "1", want: "null"},
		{by: ".", value: ".v", data: `{"v":true}`, key: `{"v":true}`, want: "true"},
		{by: `.k | ascii_upcase`, value: `.a[0], .a[1]`, data: `{"k":"x","a":[2,3]}`, key: "X", want: "2", numbers: 1},
		{by: `[.[]] | length`, value: `.v`, data: `{"v":"s","w":0}`, key: "2", want: "s"}, // the first requires all
		{by: `.v`, value: `[.[]] | length`, data: `{"v":"s","w":0}`, key: "s", want: "2", numbers: 1},
		{by: `.k`, value: `error`, data: `{"k":"x"}`, key: "x"},
		{by: `length`, value: `.`, data: "text", key: "4", want: "text"},
		{by: `.k`, value: `empty`, data: `{"k":"\u001b"}`, key: "\x1b"},
	} {
		x := &table{summary: tt.summary, needs: new(eventjson.Selection)}
		by, value, err := (&tableFlags{by: tt.by, value: tt.value}).filters(jq.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		x.by, x.value = x.add(context.Background(), by), x.add(context.Background(), value)
		x.event(&proto.Event{Message: proto.Message{Data: []byte(tt.data), Time: time.Now()}})
		rows := x.screen.Rows()
		if len(rows) != 1 || rows[0].Key != tt.key || rows[0].Value != tt.want || rows[0].Numbers != tt.numbers {
			t.Errorf("%s %s %s: %+v", tt.by, tt.value, tt.data, rows)
		}
	}
}

// Messages are kept for the end up to a limit, and what is not is counted.
func TestNotes(t *testing.T) {
	var last string
	n := notes{show: func(text string) { last = text }}
	fmt.Fprint(&n, "hark: one\nhark: two\n")
	if !strings.HasSuffix(last, " two") {
		t.Errorf("shown: %q", last)
	}
	if got := string(n.take()); got != "hark: one\nhark: two\n" {
		t.Errorf("%q", got)
	}
	for range 3 {
		fmt.Fprintln(&n, "hark: "+strings.Repeat("x", maxNotes/2))
	}
	if got := string(n.take()); !strings.HasPrefix(got, "hark: warning: 2 earlier messages not kept") {
		t.Errorf("%.80q", got)
	}
}
