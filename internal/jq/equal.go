package jq

import "github.com/itchyny/gojq"

// Equal reports whether two values are equal for jq: 1 and 1.0 are.
func Equal(a, b any) bool { return gojq.Compare(a, b) == 0 }
