package play

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/hark-cli/hark/proto"
)

// source yields payloads from one buffer, as a RecordingReader does, and err at the end.
func source(payloads [][]byte, err error, before func(int)) iter.Seq2[proto.FrameRecord, error] {
	return func(yield func(proto.FrameRecord, error) bool) {
		var buf []byte
		for i, p := range payloads {
			before(i)
			buf = append(buf[:0], p...)
			if !yield(proto.FrameRecord{Payload: buf}, nil) {
				return
			}
		}
		if err != nil {
			yield(proto.FrameRecord{}, err)
		}
	}
}

func TestAheadInOrder(t *testing.T) {
	var payloads [][]byte
	for i := range 5000 {
		p := fmt.Appendf(nil, "%d ", i)
		if i%97 == 0 { // some alone, some that fill a batch
			p = bytes.Repeat(p, i)
		}
		payloads = append(payloads, p)
	}
	end := errors.New("the end")
	a := newAhead()
	go a.read(source(payloads, end, func(int) {}))
	i := 0
	for r, err := range a.records(func() {}) {
		if i == len(payloads) {
			if err != end {
				t.Errorf("ends with %v", err)
			}
		} else if err != nil || !bytes.Equal(r.Payload, payloads[i]) {
			t.Fatalf("record %d: %.40q, %v, want %.40q", i, r.Payload, err, payloads[i])
		}
		i++
	}
	if i != len(payloads)+1 {
		t.Errorf("%d records", i)
	}
	a.close()
}

// What has been read is there before more is waited for, and idle is called before.
func TestAheadIsPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead()
		next := make(chan struct{})
		go a.read(source([][]byte{[]byte("a"), []byte("b"), []byte("c")}, nil, func(i int) {
			if i == 2 {
				a.pass()
				<-next
			}
		}))
		idle := 0
		var got []byte
		go func() {
			for r := range a.records(func() { idle++ }) {
				got = append(got, r.Payload...)
			}
		}()
		synctest.Wait()
		if string(got) != "ab" || idle == 0 {
			t.Errorf("got %q, idle %d times", got, idle)
		}
		close(next)
		synctest.Wait()
		if string(got) != "abc" {
			t.Errorf("got %q", got)
		}
		a.close()
	})
}

// Nothing is left behind when no more is wanted.
func TestAheadStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead()
		go a.read(source(make([][]byte, 1_000_000), nil, func(int) {}))
		for range a.records(func() {}) {
			break
		}
		a.close()
	})
	synctest.Test(t, func(t *testing.T) {
		a := newAhead()
		large := bytes.Repeat([]byte("x"), batchBytes)
		go a.read(source([][]byte{large, large, large}, nil, func(int) {}))
		for r := range a.records(func() {}) {
			if len(r.Payload) != batchBytes {
				t.Errorf("%d bytes", len(r.Payload))
			}
			break
		}
		a.close()
	})
}
