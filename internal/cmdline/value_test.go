package cmdline

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "1.5": 1500 * time.Millisecond, "500ms": 500 * time.Millisecond, "1h30m": 90 * time.Minute,
		"1d": 24 * time.Hour, "1.5 days": 36 * time.Hour, "2w": 14 * 24 * time.Hour, "5min": 5 * time.Minute, "5 minutes": 5 * time.Minute,
		"1 hour": time.Hour, "1d12h": 36 * time.Hour, "1h 30min": 90 * time.Minute, "10sec": 10 * time.Second, "10S": 10 * time.Second,
		"-5min": -5 * time.Minute, "7µs": 7 * time.Microsecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5x", "min", "5 fortnights", "1d2", "d1", "99999999999", "--5s", "5,5s", "1e3d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1024": 1024, "64KiB": 64 << 10, "64kib": 64 << 10, "10MB": 10e6, "10mb": 10e6, "10 mb": 10e6, "1k": 1 << 10, "1m": 1 << 20,
		"2G": 2 << 30, "2gb": 2e9, "5b": 5, "1.5k": 1536, "1kB": 1000, "1KB": 1000,
	} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q: %d, %v, want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "mb", "-1", "10xb", "NaN", "1e30", "ten"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %d", text, s)
		}
	}
}
