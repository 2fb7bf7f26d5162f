// Package pattern has regular expressions that are compiled when they are first used:
// most runs of hark use none, and to compile all of them can be felt at the start.
package pattern

import (
	"regexp"
	"sync"
)

// Lazy returns what compiles expr, once, when it is called.
func Lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
