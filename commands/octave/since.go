package octave

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// A since is a time in the past, as a flag: a duration before now, a time, a
// date, or the milliseconds that events of Octave have.
type since struct {
	ago  time.Duration
	at   time.Time
	text string
}

// Set implements flag.Value.
func (s *since) Set(text string) error {
	v := since{text: text}
	switch {
	case v.setDuration(text):
		if v.ago <= 0 {
			return errors.New("the duration must be positive")
		}
	case v.setTime(text):
		if v.at.After(time.Now().Add(time.Minute)) {
			return errors.New("the time lies in the future")
		}
	default:
		return errors.New("expected a duration such as 90s, 1h30m or 7d, or a time such as 2026-11-23T12:00:00Z")
	}
	*s = v
	return nil
}

func (s *since) setDuration(text string) bool {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n > -1e4 && n < 1e5) {
			return false
		}
		s.ago = time.Duration(n * 24 * float64(time.Hour))
		return true
	}
	d, err := time.ParseDuration(text)
	s.ago = d
	return err == nil
}

// setTime parses a time; without a zone it is in the local zone.
func (s *since) setTime(text string) bool {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) >= 12 && len(text) <= 14 {
		s.at = time.UnixMilli(ms)
		return true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			s.at = t
			return true
		}
	}
	return false
}

// String implements flag.Value.
func (s *since) String() string { return s.text }

func (s *since) given() bool { return s.text != "" }
