//go:build !linux

package process

import "syscall"

// A tree are the processes that a command in hark's own group has started, which only
// Linux tells.
type tree struct{}

func newTree(int) *tree { return nil }

func (*tree) signal(syscall.Signal) {}

func (*tree) kill() {}
