package cursor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever order events are done in, positions are moved over in the order of the
// events, and never over one that is not done.
func TestOrder(t *testing.T) {
	const count = 200
	r := rand.New(rand.NewPCG(1, 2))
	next := 0
	done := make(map[int]bool)
	o := &Order{Move: func(m Mark) {
		if m.Position != next || !done[next] {
			t.Errorf("moved over %v, want %d, done %t", m.Position, next, done[next])
		}
		next++
	}}
	parts := make(map[int]int)
	open := []int{}
	for n := range count {
		if got := o.Begin(Mark{Position: n}); got != uint64(n) {
			t.Fatalf("number %d, want %d", got, n)
		}
		parts[n] = 1 + r.IntN(3)
		for range parts[n] - 1 {
			o.Part(uint64(n))
		}
		open = append(open, n)
		for len(open) > 20 || n == count-1 && len(open) > 0 {
			i := r.IntN(len(open))
			n := open[i]
			if parts[n]--; parts[n] == 0 {
				done[n] = true
				open = append(open[:i], open[i+1:]...)
			}
			o.Done(uint64(n), n%3 != 0)
		}
	}
	if c := o.Counts(); next != count || c.Open != 0 || c.Acknowledged != count-count/3-1 {
		t.Errorf("moved over %d, %+v", next, c)
	}
	select {
	case <-o.Changed():
	default:
		t.Error("no change was announced")
	}
}

type number int

func (n *number) Move(v any) { *n = number(v.(int)) }

func (n *number) JSON() json.RawMessage {
	if *n == 0 {
		return nil
	}
	return json.RawMessage(fmt.Sprint(int(*n)))
}

// A position is saved at each interval in which it has moved, and at the end.
func TestKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	f, _ := open(t, path)
	saved := func() string {
		s, err := Read(path)
		if errors.Is(err, os.ErrNotExist) {
			return "nothing"
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s %d %s", s.Position, len(s.IDs), s.At.Format("05"))
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		k := Keep(f, State{Service: "x"}, new(number), time.Second, func(err error) { t.Error(err) })
		move := func(n int) {
			k.Move(Mark{Position: n, ID: fmt.Sprint(n), At: start.Add(time.Duration(n) * time.Second)})
		}
		check := func(want string) {
			t.Helper()
			if got := saved(); got != want {
				t.Errorf("saved %s, want %s", got, want)
			}
		}
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		pass(1500 * time.Millisecond)
		check("nothing")
		move(1)
		move(2)
		check("nothing")
		pass(time.Second)
		check("2 2 02")
		move(3)
		check("2 2 02")
		pass(400 * time.Millisecond)
		check("2 2 02")
		pass(200 * time.Millisecond)
		check("3 3 03")
		move(4)
		if err := k.Close(start.Add(30 * time.Second)); err != nil {
			t.Error(err)
		}
		check("4 4 30")
	})
}

// No more ids are stored than maxIDs, the last ones.
func TestKeeperIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	f, _ := open(t, path)
	k := Keep(f, State{Service: "x"}, new(number), time.Hour, nil)
	for n := 1; n <= 5*maxIDs+7; n++ {
		k.Move(Mark{ID: fmt.Sprint(n)})
	}
	if err := k.Close(time.Time{}); err != nil {
		t.Fatal(err)
	}
	s, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.IDs); n != maxIDs || s.IDs[n-1] != fmt.Sprint(5*maxIDs+7) {
		t.Errorf("%d ids, the last one %s", n, s.IDs[n-1])
	}
}

// A position that cannot be saved is reported once, and at the end.
func TestKeeperFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	f, _ := open(t, path)
	if err := os.MkdirAll(path+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var failed error
		k := Keep(f, State{Service: "x"}, new(number), time.Second, func(err error) {
			if failed != nil {
				t.Error("reported twice")
			}
			failed = err
		})
		for n := range 3 {
			k.Move(Mark{Position: n})
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if err := k.Close(time.Time{}); err == nil || failed == nil {
			t.Errorf("%v, %v", failed, err)
		}
	})
}
