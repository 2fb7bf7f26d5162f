package proto

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestFailureCountsRetries(t *testing.T) {
	for retries, want := range map[int]string{
		0: "cut off",
		1: "cut off (gave up after 1 retry)",
		2: "cut off (gave up after 2 retries)",
	} {
		if got := (&Failure{Class: Transient, Retries: retries, Err: errors.New("cut off")}).Error(); got != want {
			t.Errorf("%d retries: %q, want %q", retries, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0,
		noon.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		noon.Add(-time.Second).Format(http.TimeFormat):     0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, noon); got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
}
