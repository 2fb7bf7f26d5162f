//go:build !linux

package process

import "syscall"

// A tree is the set of descendants of a command in hark's own group, which is known on
// Linux only.
type tree struct{}

func newTree(int) *tree { return nil }

func (*tree) signal(syscall.Signal) {}

func (*tree) kill() {}
