package proto

import (
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/wsconn"
)

// No answer is missed while reads are paused, shortly after that, and after the process
// was stopped.
func TestReading(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, tt := range []struct {
		name        string
		before      reading
		paused      bool
		conn        time.Time // when the connection went on
		now         time.Time
		resumed     time.Time // as reported; zero for not
		readsPaused bool
	}{
		{"reads on", reading{}, false, time.Time{}, at(1), time.Time{}, false},
		{"pauses", reading{}, true, time.Time{}, at(1), time.Time{}, true},
		{"stays paused", reading{paused: true}, true, time.Time{}, at(1), time.Time{}, true},
		{"goes on", reading{paused: true}, false, time.Time{}, at(1), at(1), true},
		{"a moment ago", reading{resumed: at(1)}, false, time.Time{}, at(5), time.Time{}, true},
		{"a while ago", reading{resumed: at(1)}, false, time.Time{}, at(6), time.Time{}, false},
		{"the machine slept", reading{planned: at(1)}, false, time.Time{}, at(1).Add(wsconn.TickInterval), at(1).Add(wsconn.TickInterval), true},
		{"a little late", reading{planned: at(1)}, false, time.Time{}, at(1).Add(wsconn.TickInterval - 1), time.Time{}, false},
		{"the connection went on", reading{resumed: at(1)}, false, at(2), at(9), at(2), false},
		{"it had before", reading{resumed: at(2)}, false, at(2), at(9), time.Time{}, false},
	} {
		r := tt.before
		since, ok := r.tick(tt.paused, tt.conn, tt.now)
		if ok != !tt.resumed.IsZero() || !since.Equal(tt.resumed) || r.readsPaused(tt.now) != tt.readsPaused {
			t.Errorf("%s: resumed %s, %t; reads paused %t", tt.name, since, ok, r.readsPaused(tt.now))
		}
	}
}

func TestIdleness(t *testing.T) {
	i := idleness{limit: time.Minute}
	if i.over(noon.Add(time.Hour)) {
		t.Error("over before it was measured")
	}
	i.rearm(noon)
	if i.over(noon.Add(time.Minute-1)) || !i.over(noon.Add(time.Minute)) || i.over(noon.Add(time.Hour)) {
		t.Error("not over once, after a minute")
	}
	i = idleness{}
	if i.rearm(noon); i.over(noon.Add(time.Hour)) {
		t.Error("over although there is no limit")
	}
}
