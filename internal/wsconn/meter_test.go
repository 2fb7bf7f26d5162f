package wsconn

import (
	"testing"
	"time"
)

// look is what a meter knows.
func look(m *meter, now time.Time) (s State) {
	m.read(now, &s)
	return s
}

// What is known of the socket, from how long reads take and what they bring.
func TestMeter(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	type read struct {
		began, ended time.Duration
		n            int  // of 100
		stalled      bool // nothing was read for a second before
	}
	tests := []struct {
		name  string
		reads []read
		want  time.Duration
	}{
		{"nothing yet", nil, 0},
		{"waits", []read{{1 * s, 2 * s, 100, false}}, 1 * s},
		{"waits for the end", []read{{1 * s, 1 * s, 10, false}, {1*s + ms, 2 * s, 0, false}}, 1*s + ms},
		{"short, then more", []read{{1 * s, 1 * s, 10, false}, {2 * s, 2 * s, 10, false}}, 1 * s},
		{"short, then the end at once", []read{{1 * s, 1 * s, 10, false}, {9 * s, 9 * s, 0, false}}, 0},
		{"short twice, then the end", []read{{1 * s, 1 * s, 10, false}, {2 * s, 2 * s, 10, false}, {9 * s, 9 * s, 0, false}}, 1 * s},
		{"full", []read{{1 * s, 1 * s, 100, false}, {2 * s, 2 * s, 100, false}, {3 * s, 3 * s, 0, false}}, 0},
		{"stopped while it waits", []read{{1 * s, 11 * s, 10, false}, {11 * s, 11 * s, 10, false}, {11 * s, 11 * s, 0, false}}, 1 * s},
		{"after a stall, short reads show nothing", []read{{5 * s, 5 * s, 10, true}, {6 * s, 6 * s, 10, false}, {7 * s, 7*s + 100*ms, 10, false}}, 0},
		{"after a stall, a long wait", []read{{5 * s, 5 * s, 10, true}, {6 * s, 7 * s, 0, false}}, 6 * s},
		{"long after a stall", []read{{5 * s, 5 * s, 10, true}, {10 * s, 10 * s, 10, false}, {11 * s, 11 * s, 10, false}}, 10 * s},
		{"after a stall, all that was on the way", []read{{5 * s, 5 * s, onTheWay - 1, true}, {6 * s, 6 * s, 1, false}}, 4 * s},
		{"after two stalls, all that was on the way at the first", []read{{5 * s, 5 * s, onTheWay - 1, true}, {7 * s, 7 * s, 1, true}}, 4 * s},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			m := newMeter(start)
			for _, r := range tt.reads {
				m.ended, m.ticked = start.Add(r.began), start.Add(r.ended)
				if r.stalled {
					m.ended = m.ended.Add(-time.Second)
				}
				m.begin(start.Add(r.began))
				m.end(start.Add(r.ended), r.n, 100)
			}
			if got := look(m, start).Drained.Sub(start); got != tt.want {
				t.Errorf("drained at %s, want %s", got, tt.want)
			}
		})
	}
}

// A read that waits shows that all is read, as long as the process runs; when it was
// stopped meanwhile, only until then.
func TestMeterTicks(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	m := newMeter(start)
	m.begin(at(1))
	for i := 2; i <= 5; i++ {
		m.tick(at(i))
	}
	if got := look(m, start).Drained; got != at(4) {
		t.Errorf("after a tick at 5s: drained at %s", got.Sub(start))
	}
	m.tick(at(60)) // the process was stopped at 5.5s, and something came at 6s
	if got := look(m, start).Drained; got != at(5) {
		t.Errorf("after a stop: drained at %s", got.Sub(start))
	}
	m.end(at(60), 100, 100)
	if got := look(m, start).Drained; got != at(5) {
		t.Errorf("after the read: drained at %s", got.Sub(start))
	}
	for i, want := range []bool{false, true} {
		if got := look(m, at(60).Add(time.Duration(i)*stallTime)).Stalled; got != want {
			t.Errorf("stalled %t, want %t", got, want)
		}
	}
	m.begin(at(62))
	if look(m, at(90)).Stalled || look(m, start).Resumed != at(62) {
		t.Errorf("resumed at %s", look(m, start).Resumed.Sub(start))
	}
}
