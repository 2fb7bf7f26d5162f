package proto

import (
	"errors"
	"testing"
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
