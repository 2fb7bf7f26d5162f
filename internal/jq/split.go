package jq

import "strings"

// Index returns the offset of the first sep in text that is not part of a string or a
// comment of the jq expression before it, or -1.
func Index(text, sep string) int { return strings.Index(masked(text), sep) }
