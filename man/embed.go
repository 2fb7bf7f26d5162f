// Package man contains the manual.
package man

//go:generate go run ../internal/docgen ..

import _ "embed"

// Page is hark(1) in the man macros of roff. It is made of the tree of commands.
//
//go:embed hark.1
var Page []byte
