package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-cli/hark/proto"
)

// A scripted destination answers each record by its script.
type scripted struct {
	inFlight int
	answer   func(r Record, attempt int) error

	mu       sync.Mutex
	attempts map[string]int
	got      []string // acknowledged, in order
	most     int      // records in one call
	closed   bool
}

func (s *scripted) InFlight() int { return s.inFlight }

func (s *scripted) Close() error {
	s.closed = true
	return nil
}

func (s *scripted) Deliver(ctx context.Context, records []Record, results []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts == nil {
		s.attempts = make(map[string]int)
	}
	s.most = max(s.most, len(records))
	for i, r := range records {
		if ctx.Err() != nil {
			results[i] = ctx.Err()
			continue
		}
		s.attempts[r.ID]++
		results[i] = s.answer(r, s.attempts[r.ID])
		if results[i] == nil {
			s.got = append(s.got, r.ID)
			continue
		}
		for j := i + 1; j < len(records); j++ {
			results[j] = ErrNotTried
		}
		return
	}
}

var errAway = errors.New("away")

func record(n int) Record { return Record{ID: fmt.Sprint(n), Data: []byte("{}")} }

func TestDelivery(t *testing.T) {
	ids := func(skip ...int) (list []string) {
		for n := range 20 {
			if !slices.Contains(skip, n) {
				list = append(list, fmt.Sprint(n))
			}
		}
		return list
	}
	for _, tt := range []struct {
		name     string
		answer   func(r Record, attempt int) error
		retry    time.Duration
		letters  bool
		broken   bool // dead letters cannot be written
		want     []string
		dead     []string
		err      string
		resumed  int
		duration time.Duration // at least
	}{
		{name: "at once", answer: func(Record, int) error { return nil }, want: ids()},
		{name: "each at the second attempt", answer: func(_ Record, attempt int) error {
			if attempt == 1 {
				return errAway
			}
			return nil
		}, want: ids(), resumed: 20, duration: 5 * time.Second},
		{name: "away for a while", answer: func(r Record, attempt int) error {
			if r.ID == "7" && attempt < 5 {
				return errAway
			}
			return nil
		}, want: ids(), resumed: 1, duration: 3 * time.Second},
		{name: "asks to wait", answer: func(r Record, attempt int) error {
			if r.ID == "3" && attempt == 1 {
				return &TransientError{errAway, time.Hour}
			}
			return nil
		}, want: ids(), resumed: 1, duration: time.Hour},
		{name: "refused", answer: func(r Record, _ int) error {
			if r.ID == "5" {
				return &RefusedError{errors.New("no")}
			}
			return nil
		}, want: []string{"0", "1", "2", "3", "4"}, err: "event 5: not delivered: no"},
		{name: "refused, with dead letters", letters: true, answer: func(r Record, _ int) error {
			if r.ID == "5" || r.ID == "19" {
				return &RefusedError{errors.New("no")}
			}
			return nil
		}, want: ids(5, 19), dead: []string{"5 no", "19 no"}},
		{name: "dead letters that cannot be written", letters: true, broken: true, answer: func(r Record, _ int) error {
			return &RefusedError{errors.New("no")}
		}, err: "nor could it be written to the dead letters: full"},
		{name: "away for too long", retry: time.Minute, answer: func(r Record, _ int) error {
			if r.ID == "9" {
				return errAway
			}
			return nil
		}, want: ids(9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19), err: "event 9: not delivered: away (tried for 1m", duration: time.Minute},
		{name: "away for too long, with dead letters", retry: time.Minute, letters: true, answer: func(r Record, _ int) error {
			if r.ID == "9" {
				return errAway
			}
			return nil
		}, want: ids(9), dead: []string{"9 away (tried for"}, resumed: 1, duration: time.Minute},
		{name: "a full disk", letters: true, answer: func(r Record, _ int) error {
			if r.ID == "2" {
				return &FatalError{errors.New("no space")}
			}
			return nil
		}, want: []string{"0", "1"}, err: "event 2: not delivered: no space"},
	} {
		for _, inFlight := range []int{1, 3, 100} {
			t.Run(fmt.Sprintf("%s/%d", tt.name, inFlight), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					d := &scripted{inFlight: inFlight, answer: tt.answer}
					var dead []string
					var failed error
					resumed := 0
					o := Options{
						Name: "x:", RetryTime: tt.retry, Backoff: proto.Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second},
						Resumed: func() { resumed++ }, Failed: func(err error) { failed = err },
					}
					if tt.letters {
						o.DeadLetter = func(r Record, why error) error {
							dead = append(dead, r.ID+" "+why.Error())
							if tt.broken {
								return errors.New("full")
							}
							return nil
						}
					}
					v := New(d, o)
					var err error
					for n := range 20 {
						if err = v.Submit(record(n)); err != nil {
							break
						}
						if c := v.Counts(); c.InFlight > inFlight {
							t.Errorf("%d are in flight", c.InFlight)
						}
					}
					end := v.Finish(24*time.Hour, nil)
					if err != nil && end == nil {
						t.Errorf("Submit says %v, Finish nothing", err)
					}
					if tt.err == "" && end != nil || tt.err != "" && (end == nil || !strings.Contains(end.Error(), tt.err)) {
						t.Errorf("%v, want %q", end, tt.err)
					}
					if tt.err != "" && failed == nil {
						t.Error("Failed was not called")
					}
					if !slices.Equal(d.got, tt.want) {
						t.Errorf("delivered %v, want %v", d.got, tt.want)
					}
					if !tt.broken && (len(dead) != len(tt.dead) || !slices.EqualFunc(dead, tt.dead, strings.HasPrefix)) {
						t.Errorf("dead letters %q, want %q", dead, tt.dead)
					}
					if c := v.Counts(); c.Delivered != uint64(len(d.got)) || !tt.broken && c.Dead != uint64(len(dead)) || end == nil && c.InFlight != 0 {
						t.Errorf("%+v", c)
					}
					if inFlight == 1 && resumed != tt.resumed {
						t.Errorf("resumed %d times, want %d", resumed, tt.resumed)
					}
					if d.most > inFlight || !d.closed {
						t.Errorf("%d records in one call, closed %t", d.most, d.closed)
					}
					if took := time.Since(start); took < tt.duration {
						t.Errorf("took %s, want at least %s", took, tt.duration)
					}
				})
			})
		}
	}
}

// At the end, what is in flight has its time, and no more.
func TestFinish(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kill  bool
		limit time.Duration
	}{{"the limit", false, 10 * time.Second}, {"killed", true, 0}} {
		synctest.Test(t, func(t *testing.T) {
			d := &scripted{inFlight: 5, answer: func(r Record, _ int) error {
				if r.ID == "0" {
					return nil
				}
				return errAway
			}}
			v := New(d, Options{Name: "x:", Backoff: proto.Backoff{Base: time.Second, Max: time.Minute}})
			for n := range 3 {
				if err := v.Submit(record(n)); err != nil {
					t.Fatal(err)
				}
			}
			kill := make(chan struct{})
			if tt.kill {
				close(kill)
			}
			synctest.Wait()
			start := time.Now()
			e, ok := errors.AsType[*NotDeliveredError](v.Finish(10*time.Second, kill))
			if !ok || e.Records != 2 || e.ID != "1" {
				t.Errorf("%s: %v", tt.name, e)
			}
			if took := time.Since(start); took != tt.limit {
				t.Errorf("%s: took %s", tt.name, took)
			}
			if v.Submit(record(9)) == nil {
				t.Errorf("%s: a record was taken after the end", tt.name)
			}
		})
	}
}

// Submit that waits for room ends when the delivery fails.
func TestSubmitToFailedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{inFlight: 1, answer: func(Record, int) error { return errAway }}
		v := New(d, Options{RetryTime: time.Minute, Backoff: proto.Backoff{Base: time.Second, Max: time.Second}})
		if err := v.Submit(record(0)); err != nil {
			t.Fatal(err)
		}
		if err := v.Submit(record(1)); err == nil {
			t.Error("taken")
		}
		if err := v.Finish(time.Hour, nil); err == nil {
			t.Error("finished")
		}
	})
}

// What is added beside events does not wait for room, and keeps its place; no more than the
// limit is given to the destination all the same.
func TestAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := true
		d := &scripted{inFlight: 2, answer: func(Record, int) error {
			if away {
				return errAway
			}
			return nil
		}}
		v := New(d, Options{Backoff: proto.Backoff{Base: time.Second, Max: time.Second}})
		for n := range 2 {
			if err := v.Submit(record(n)); err != nil {
				t.Fatal(err)
			}
		}
		for n := 2; n < 10; n++ {
			v.Add(record(n))
		}
		if c := v.Counts(); c.InFlight != 10 {
			t.Errorf("%+v", c)
		}
		d.mu.Lock()
		away = false
		d.mu.Unlock()
		if err := v.Submit(record(10)); err != nil {
			t.Fatal(err)
		}
		if err := v.Finish(time.Minute, nil); err != nil {
			t.Error(err)
		}
		if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}; !slices.Equal(d.got, want) || d.most > 2 {
			t.Errorf("delivered %v, %d at a time", d.got, d.most)
		}
	})
}

// The time for retries is kept to: the last attempt is at its end, and what is asked to wait
// for longer is given up at once.
func TestRetryTime(t *testing.T) {
	for _, tt := range []struct {
		retry, after time.Duration
		err          string
		took         time.Duration
		attempts     int // at least
	}{
		{5 * time.Minute, 0, "away (tried for 5m0s)", 5 * time.Minute, 10},
		{5 * time.Minute, 2 * time.Minute, "away (asks to wait 2m0s, which is longer than what is left of the time for retries)", 4 * time.Minute, 3},
		{time.Minute, time.Hour, "away (asks to wait 1h0m0s, which is longer than what is left of the time for retries)", 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &scripted{inFlight: 1, answer: func(Record, int) error { return &TransientError{errAway, tt.after} }}
			v := New(d, Options{RetryTime: tt.retry, Backoff: proto.Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}})
			start := time.Now()
			if err := v.Submit(record(1)); err != nil {
				t.Fatal(err)
			}
			err := v.Finish(time.Hour, nil)
			if took := time.Since(start); err == nil || !strings.Contains(err.Error(), tt.err) || took != tt.took || d.attempts["1"] < tt.attempts {
				t.Errorf("%v after %s and %d attempts", err, took, d.attempts["1"])
			}
		})
	}
}
