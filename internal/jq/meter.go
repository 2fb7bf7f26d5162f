package jq

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"runtime"
	"runtime/metrics"
	"time"
)

// A meter is the context of one Run of a Program. gojq asks it at each step whether to
// go on, so this is where time and memory are looked at.
type meter struct {
	context.Context // that of the caller
	program         *Program
	deadline        time.Time
	steps, next     int    // steps so far, and those at which to look next
	made            int    // bytes that checked functions have made since the last look
	heap            uint64 // at the beginning
	err             error  // why the run ends
}

const (
	// lookSteps is how many steps are between two looks at time and memory.
	lookSteps = 256
	// lookBytes is how much may be made between them.
	lookBytes = 1 << 20
	// maxDepth is how deeply the values may be nested that an expression makes: what
	// they are given to recurses.
	maxDepth = 1000
)

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (p *Program) newMeter(ctx context.Context) *meter {
	m := &meter{Context: ctx, program: p, next: 1}
	if p.options.Timeout > 0 {
		m.deadline = time.Now().Add(p.options.Timeout)
	}
	return m
}

// Done implements context.Context.
func (m *meter) Done() <-chan struct{} {
	if m.steps++; m.steps >= m.next || m.made > lookBytes {
		m.look()
	}
	if m.err != nil {
		return closed
	}
	return nil
}

// Err implements context.Context.
func (m *meter) Err() error { return m.err }

// look ends the run if it has taken too much.
func (m *meter) look() {
	m.next, m.made = m.steps+lookSteps, 0
	if m.Context.Err() != nil {
		m.fail(Interrupted{context.Cause(m.Context)})
		return
	}
	if !m.deadline.IsZero() && m.steps > 1 && !time.Now().Before(m.deadline) {
		m.exceed("time", fmt.Sprintf("no result within %s", m.program.options.Timeout))
		return
	}
	if m.program.options.MaxValue > 0 && m.steps > 1 {
		m.lookAtMemory()
	}
}

// lookAtMemory ends a run whose values are each within their limit, but not all of them
// together, such as a recursion without an end. It looks at the memory of the whole
// process, so what it allows is far more than what others make meanwhile.
func (m *meter) lookAtMemory() {
	heap := heapObjects()
	if m.heap == 0 {
		m.heap = heap
	}
	most := m.heap + uint64(16*m.program.options.MaxValue) + 64<<20
	if heap <= most {
		return
	}
	runtime.GC() // most of it may be garbage
	if heapObjects() > most {
		m.exceed("memory", "the expression takes too much memory")
	}
}

func heapObjects() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// fail ends the run at its next step, and returns why.
func (m *meter) fail(err error) error {
	if m.err == nil {
		m.err = err
	}
	return m.err
}

func (m *meter) exceed(limit, msg string) error {
	return m.fail(&LimitError{Key: m.program.key, Expr: m.program.expr, Limit: limit, Msg: msg})
}

func (m *meter) tooLarge() error {
	return m.exceed("size", fmt.Sprintf("a value larger than %d bytes", m.program.options.MaxValue))
}

// size returns the size of v, which is no more than it has as JSON. ok is false, and the
// run ends, when that is too much.
func (m *meter) size(v any) (n int, ok bool) {
	most := m.program.options.MaxValue
	s := sizer{left: most}
	s.add(v, 0)
	switch {
	case s.deep:
		m.exceed("size", fmt.Sprintf("a value nested more than %d levels deep", maxDepth))
	case s.left < 0:
		m.tooLarge()
	default:
		return most - s.left, true
	}
	return 0, false
}

// A sizer has what is left of the room for a value; it is negative when there is none.
type sizer struct {
	left int
	deep bool // the value is nested too deeply
}

func (s *sizer) add(v any, depth int) {
	switch v := v.(type) {
	case string:
		s.left -= len(v) + 2
	case []any:
		s.left -= 2 + max(len(v)-1, 0) // commas
		for _, e := range v {
			if s.nested(depth); s.left < 0 {
				return
			}
			s.add(e, depth+1)
		}
	case map[string]any:
		s.left -= 2 + max(len(v)-1, 0)
		for k, e := range v {
			if s.nested(depth); s.left < 0 {
				return
			}
			s.left -= len(k) + 3
			s.add(e, depth+1)
		}
	case json.Number:
		s.left -= len(v)
	case *big.Int:
		s.left -= digits(v.BitLen())
	default:
		s.left--
	}
}

// nested takes all room from what is nested too deeply.
func (s *sizer) nested(depth int) {
	if depth >= maxDepth {
		s.left, s.deep = -1, true
	}
}

// digits returns about how many decimal digits a number of so many bits has.
func digits(bits int) int { return bits * 3 / 10 }
