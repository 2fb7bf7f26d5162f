package output

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hark-cli/hark/proto"
)

// Records of several writers to one pipe stay whole, whatever their size, because each
// is written under the lock of the pipe.
func TestPipeOfSeveral(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if lock := newPipeLock(w); lock == nil {
		t.Skip("this system does not lock pipes")
	} else {
		lock.close()
	}
	const writers, events = 3, 24
	var all sync.WaitGroup
	for i := range writers {
		letter := string(rune('a' + i))
		all.Go(func() {
			// The same pipe of the same process, opened anew for each lock.
			p := NewPipe(w)
			out := New(p, Options{})
			for n := range events {
				size := []int{10, 5000, 70_000, 300_000}[n%4]
				ev := proto.Event{Seq: uint64(n + 1), Message: proto.Message{Data: []byte(`"` + strings.Repeat(letter, size) + `"`)}}
				if err := out.Event(&ev); err != nil {
					t.Error(err)
				}
			}
			if err := out.Flush(); err != nil {
				t.Error(err)
			}
			p.lock.close() // as the end of a process does
		})
	}
	go func() { all.Wait(); w.Close() }()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		b := bytes.Trim(lines.Bytes(), `"`)
		if len(b) == 0 || bytes.Count(b, b[:1]) < len(b) {
			t.Fatalf("line %d of %d bytes is torn", n, len(b))
		}
	}
	if n != writers*events || lines.Err() != nil {
		t.Errorf("%d lines, %v", n, lines.Err())
	}
}

// The lock is free while nothing of a record is on its way.
func TestPipeGivesTheLockBack(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	other := newPipeLock(w)
	if other == nil {
		t.Skip("this system does not lock pipes")
	}
	defer other.close()
	p := NewPipe(w)
	p.Hold()
	for _, text := range []string{"a", "b", "c\n"} {
		if _, err := p.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.try(); err == nil {
		t.Error("another gets the lock in the middle of a record")
	}
	p.Release()
	for _, what := range []string{"a record", "a write"} {
		if err := other.try(); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
		other.unlock()
		if _, err := p.Write([]byte("d\n")); err != nil {
			t.Fatal(err)
		}
	}
	r.Close()
	p.Hold()
	if _, err := p.Write([]byte("e")); err == nil {
		t.Error("nobody reads, and a write succeeds")
	}
	if err := other.try(); err != nil {
		t.Errorf("after a write that failed: %v", err)
	}
}

// Where there is no lock, no write is larger than what the system keeps together, and
// lines that fit are whole.
func TestPipeInPieces(t *testing.T) {
	line := func(n int) string { return strings.Repeat("x", n-1) + "\n" }
	for name, test := range map[string]struct {
		text string
		want []int
	}{
		"nothing":        {"", nil},
		"short":          {line(10), []int{10}},
		"as it fits":     {line(4096), []int{4096}},
		"lines":          {strings.Repeat(line(1000), 9), []int{4000, 4000, 1000}},
		"a long one":     {line(10) + line(9000) + line(20), []int{10, 4096, 4096, 828}},
		"NUL":            {strings.Repeat("x\x00", 3000), []int{4096, 1904}},
		"no end of line": {strings.Repeat("x", 5000), []int{4096, 904}},
	} {
		var w sizes
		n, err := writePieces(&w, []byte(test.text))
		if n != len(test.text) || err != nil || !slices.Equal(w.list, test.want) {
			t.Errorf("%s: writes of %v (%d, %v), want %v", name, w.list, n, err, test.want)
		}
	}
	w := sizes{fail: errors.New("full")}
	if n, err := writePieces(&w, []byte(line(5000))); n != 0 || err != w.fail {
		t.Errorf("a write that failed: %d, %v", n, err)
	}
}

// sizes keeps how large writes were.
type sizes struct {
	list []int
	fail error
}

func (s *sizes) Write(b []byte) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	s.list = append(s.list, len(b))
	return len(b), nil
}
