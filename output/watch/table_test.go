package watch

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/console"
)

var begin = time.Unix(1_800_000_000, 0) // the start of a slot

func TestTable(t *testing.T) {
	var x Table
	for i := range 60 {
		x.Add("b", "v", float64(i), begin.Add(time.Duration(i)*time.Second))
	}
	x.Add("a", "text", math.NaN(), begin.Add(59*time.Second))
	rows := x.Rows()
	if len(rows) != 2 || rows[0].Key != "a" || rows[1].Key != "b" {
		t.Fatalf("rows %v", rows)
	}
	b := rows[1]
	now := begin.Add(60*time.Second - 1)
	if b.Count != 60 || b.Min != 0 || b.Max != 59 || x.Events != 61 {
		t.Errorf("%+v", b)
	}
	if got := b.Rate(now); math.Abs(got-1) > 0.01 {
		t.Errorf("rate %v, want 1", got)
	}
	if got, want := b.Sparkline(now), "▁▁▁▂▂▃▃▃▄▄▅▅▆▆▆▇▇███"; got != want {
		t.Errorf("sparkline %q, want %q", got, want)
	}
	if got := rows[0].Sparkline(now); got != "" {
		t.Errorf("sparkline of text: %q", got)
	}
	// What is older than a minute is not in it.
	if got := b.Sparkline(now.Add(30 * time.Second)); strings.Count(got, " ") != 10 {
		t.Errorf("sparkline %q after half a minute", got)
	}
	if got := b.Rate(now.Add(2 * time.Minute)); got != 0 {
		t.Errorf("rate %v after two minutes", got)
	}
}

// A stream with ever new keys does not take ever more memory, and what has no row is
// counted.
func TestTableBounds(t *testing.T) {
	var x Table
	for i := range maxRows + 5 {
		x.Add(strconv.Itoa(i), "", math.NaN(), begin)
	}
	if x.Events != maxRows+5 || len(x.Rows())+int(x.Other) < maxRows || len(x.Rows()) > maxRows {
		t.Errorf("%d events, %d rows, %d other", x.Events, len(x.Rows()), x.Other)
	}
}

// Numbers at the limits of their type leave a sparkline in order.
func TestSparklineExtremes(t *testing.T) {
	var x Table
	for i, v := range []float64{-math.MaxFloat64, 0, math.MaxFloat64, math.Inf(1)} {
		x.Add("a", "", v, begin.Add(time.Duration(i)*slot))
	}
	if got := x.Rows()[0].Sparkline(begin.Add(3 * slot)); console.Width(got) != slots {
		t.Errorf("%q", got)
	}
}

func TestDraw(t *testing.T) {
	var x Table
	now := begin
	x.Add("pump-01 temperature", "21.5", 21.5, now)
	x.Add("日本語日本語日本語", "\x1b[2J\r\n\u202ex", math.NaN(), now.Add(-2*time.Minute))
	for i := range 30 {
		x.Add("zone-"+string(rune('a'+i)), "1", 1, now)
	}
	for _, size := range [][2]int{{80, 24}, {40, 10}, {200, 60}, {1, 1}, {5, 2}, {12, 3}} {
		for _, color := range []bool{false, true} {
			lines := x.Draw(size[0], size[1], color, "hark: \x1b]0;x\areconnected", now)
			if len(lines) > size[1] {
				t.Errorf("%v: %d lines", size, len(lines))
			}
			for _, l := range lines {
				for _, c := range []string{faint, strong, reverse, off} {
					l = strings.ReplaceAll(l, c, "")
				}
				if n := console.Width(l); n > size[0] {
					t.Errorf("%v: %d columns: %q", size, n, l)
				}
				if strings.ContainsFunc(l, console.Acts) {
					t.Errorf("%v: %q", size, l)
				}
			}
		}
	}
	lines := x.Draw(80, 24, false, "", now)
	if got := strings.Join(strings.Fields(lines[2]), " "); got != "pump-01 tempe… 21.5 0s 1 1.0/s ▅" {
		t.Errorf("%q", got)
	}
	if got := strings.TrimSpace(lines[22]); got != "… 12 more keys" {
		t.Errorf("%q", got)
	}
}
