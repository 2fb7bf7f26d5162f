package commands

import (
	"math"
	"runtime/debug"

	"github.com/hark-cli/hark/proto"
)

// leastMemory is what the collector is left in any case, in bytes.
const leastMemory = 32 << 20

// growth is how much of what is in use may be garbage before it is collected, in
// percent. A stream needs little, and half of what is usual takes no time that could
// be measured.
const growth = 50

// worthwhile is how much garbage is worth a collection at once, in bytes: the collector
// would begin too late with what a giant leaves behind.
const worthwhile = 16 << 20

// boundMemory has the collector keep the program below what a stream may hold: the
// buffer, and twice the largest message, while one is read and grows. Without it,
// garbage may be as much again. GOMEMLIMIT and GOGC, which the user sets, win.
func (s *stream) boundMemory(buffer int, message int64) {
	if _, ok := s.LookupEnv("GOGC"); !ok {
		debug.SetGCPercent(growth)
	}
	if _, ok := s.LookupEnv("GOMEMLIMIT"); ok {
		return
	}
	// It begins late, and a part of the memory is not its own.
	margin := min(message/2, leastMemory)
	debug.SetMemoryLimit(max(int64(buffer)+2*message-margin, leastMemory))
}

// valuesLimit is how much memory the values of an event may take, in bytes: as much as
// the largest message, so that one that is a single text can be looked at whatever its
// size is. When the next message is read whether there is room for it or not, there is
// less for this one.
func (f *linkFlags) valuesLimit() int {
	limit := int(min(f.maxMessage, math.MaxInt/2))
	if f.overflow != overflow(proto.OverflowBlock) {
		limit /= 2
	}
	return limit + 64<<10
}
