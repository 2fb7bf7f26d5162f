package replay

import (
	"testing"
	"time"
)

func TestSame(t *testing.T) {
	tests := []struct {
		recording, got string
		want           bool
	}{
		{"hello", "hello", true},
		{"hello", "Hello", false},
		{"", "", true},
		{"", "x", false},
		{`{"a":1,"b":[2]}`, "{ \"b\": [2],\n \"a\": 1 }", true},
		{`{"a":1}`, `{"a":2}`, false},
		{`{"a":1}`, `{"a":1} {"a":1}`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`{"token":"***"}`, `{"token":"anything"}`, true},
		{`{"token":"***","x":"***"}`, `{"token":"a","x":"b"}`, true},
		{`{"token":"***","x":1}`, `{"token":"a","x":2}`, false},
		{`***`, ``, true},
		{`a***b`, `ab`, true},
		{`a***a`, `a`, false},
	}
	for _, tt := range tests {
		if got := same([]byte(tt.recording), []byte(tt.got)); got != tt.want {
			t.Errorf("%s and %s: %v", tt.recording, tt.got, got)
		}
	}
}

func TestSpeed(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		speed float64
		want  []time.Duration // after records at 10, 5 and 30 s
	}{
		{1, []time.Duration{10 * time.Second, 10 * time.Second, 30 * time.Second}},
		{10, []time.Duration{time.Second, time.Second, 3 * time.Second}},
		{0.5, []time.Duration{20 * time.Second, 20 * time.Second, 60 * time.Second}},
		{0, []time.Duration{0, 0, 0}},
	} {
		c := &conn{Server: &Server{o: Options{Speed: tt.speed}}, at: start, on: start}
		for i, s := range []time.Duration{10, 5, 30} {
			if got := c.due(start.Add(s * time.Second)).Sub(start); got != tt.want[i] {
				t.Errorf("speed %v: record %d is due after %s, want %s", tt.speed, i+1, got, tt.want[i])
			}
		}
	}
}
