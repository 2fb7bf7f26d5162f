// Package pattern compiles regular expressions on first use: most runs of hark use
// none, and compiling all of them would slow the start noticeably.
package pattern

import (
	"regexp"
	"sync"
)

// Lazy returns a function that compiles expr once, on its first call.
func Lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
