// Package man holds the manual.
package man

import _ "embed"

// Page is hark(1) in the man macros of roff. It is made of the tree of commands:
// go test ./commands -run Manual -update
//
//go:embed hark.1
var Page []byte
