// Package watch shows a stream as a table on a terminal, a row for each key.
package watch

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	// slots is how many parts the last minute has in a Row.
	slots = 20
	slot  = time.Minute / slots
	// maxRows bounds the memory of a stream with ever new keys.
	maxRows = 10_000
)

// A Table counts events by key. It has no clock: times are passed in.
type Table struct {
	// Events is how many events were added. Other is how many of them have no row,
	// because there are too many keys.
	Events, Other uint64

	rows  map[string]*Row
	order []*Row // by key
	all   history
}

// A Row is what is known of a key.
type Row struct {
	Key, Value string
	Count      uint64
	Last       time.Time // of the last event
	// Min and Max are those of all numbers; Numbers is how many there were.
	Min, Max float64
	Numbers  uint64

	history
}

// A history is the last minute, in a ring.
type history struct {
	newest int64 // number of the newest slot, by Unix time
	start  time.Time
	events [slots]uint32
	values [slots]float64 // sums
	counts [slots]uint32  // of values
}

// Add adds an event. number is NaN if its value is not a number.
func (t *Table) Add(key, value string, number float64, at time.Time) {
	t.Events++
	t.all.add(number, at)
	r := t.rows[key]
	if r == nil {
		if len(t.rows) >= maxRows {
			t.Other++
			return
		}
		if t.rows == nil {
			t.rows = make(map[string]*Row)
		}
		r = &Row{Key: strings.Clone(key), Min: math.Inf(1), Max: math.Inf(-1)}
		t.rows[key] = r
		i := sort.Search(len(t.order), func(i int) bool { return t.order[i].Key >= key })
		t.order = slices.Insert(t.order, i, r)
	}
	r.Count++
	r.Value, r.Last = value, at
	if !math.IsNaN(number) {
		r.Numbers++
		r.Min, r.Max = min(r.Min, number), max(r.Max, number)
	}
	r.add(number, at)
}

// Rows returns the rows by key. They are valid until the next Add.
func (t *Table) Rows() []*Row { return t.order }

// Rate returns the events per second of all keys.
func (t *Table) Rate(now time.Time) float64 { return t.all.Rate(now) }

func (h *history) add(number float64, at time.Time) {
	if h.start.IsZero() {
		h.start = at
	}
	h.move(at)
	i := h.newest % slots
	h.events[i]++
	if !math.IsNaN(number) {
		h.values[i] += number
		h.counts[i]++
	}
}

// move makes the slot of a time the newest one. Times that go back count as the newest.
func (h *history) move(at time.Time) {
	n := at.UnixNano() / int64(slot)
	for k := max(h.newest+1, n-slots+1); k <= n; k++ {
		i := k % slots
		h.events[i], h.values[i], h.counts[i] = 0, 0, 0
	}
	h.newest = max(h.newest, n)
}

// Rate returns the events per second of the last minute, or since the first event.
func (h *history) Rate(now time.Time) float64 {
	if h.start.IsZero() {
		return 0
	}
	h.move(now)
	var sum uint64
	for _, n := range h.events {
		sum += uint64(n)
	}
	// The oldest of the slots begins so long ago.
	covered := now.Sub(time.Unix(0, (h.newest-slots+1)*int64(slot)))
	return float64(sum) / max(min(covered, now.Sub(h.start)), time.Second).Seconds()
}

// sparks are the levels of a sparkline.
var sparks = []rune("▁▂▃▄▅▆▇█")

// Sparkline returns the means of the values in each twentieth of the last minute, a
// space for one without a value; "" if there are none.
func (h *history) Sparkline(now time.Time) string {
	h.move(now)
	low, high := math.Inf(1), math.Inf(-1)
	for i, n := range h.counts {
		if n > 0 {
			mean := h.values[i] / float64(n)
			low, high = min(low, mean), max(high, mean)
		}
	}
	if low > high {
		return ""
	}
	out := make([]rune, 0, slots)
	for k := h.newest - slots + 1; k <= h.newest; k++ {
		i := k % slots
		if h.counts[i] == 0 {
			out = append(out, ' ')
			continue
		}
		level := len(sparks) / 2
		if high > low {
			// Divided first, so that the difference of large numbers is finite.
			part := (h.values[i]/float64(h.counts[i])/2 - low/2) / (high/2 - low/2)
			level = min(max(int(part*float64(len(sparks))), 0), len(sparks)-1)
		}
		out = append(out, sparks[level])
	}
	return string(out)
}

// number returns a number for a column.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// rate returns a number of events per second for a column.
func rate(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64) + "/s"
	case x >= 1:
		return strconv.FormatFloat(x, 'f', 1, 64) + "/s"
	}
	return strconv.FormatFloat(x, 'f', 2, 64) + "/s"
}

// age returns how long ago something was for a column.
func age(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 100*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}
