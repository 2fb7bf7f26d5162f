package process

import (
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A member is a process by its number and start time, in ticks since boot: numbers are
// reused.
type member struct{ pid, began int }

// stat is the content of /proc/PID/stat.
type stat struct {
	parent, group, session, began int
	// ended: it is a zombie.
	ended bool
}

// readStat reads /proc/PID/stat; ok is false if there is no such process.
func readStat(pid int) (s stat, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
	// The name, in parentheses, may contain any character.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return stat{}, false
	}
	for _, v := range []struct {
		to   *int
		from string
	}{{&s.parent, f[1]}, {&s.group, f[2]}, {&s.session, f[3]}, {&s.began, f[19]}} {
		if *v.to, err = strconv.Atoi(v.from); err != nil {
			return stat{}, false
		}
	}
	s.ended = f[0] == "Z" || f[0] == "X"
	return s, true
}

// A tree is the set of descendants of a command in hark's own group. It may be used
// concurrently.
type tree struct {
	root int

	mu    sync.Mutex
	known map[member]bool
	// since is the start time of the root.
	since int
}

// newTree must be called before waiting for the command; it returns nil without /proc.
func newTree(root int) *tree {
	s, ok := readStat(root)
	if !ok { // without /proc
		return nil
	}
	return &tree{root: root, known: make(map[member]bool), since: s.began}
}

// find adds the descendants of the command, also those whose parents have ended, as
// long as they are in hark's group, and returns those that exist.
func (t *tree) find() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	all := make(map[int]stat)
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if s, ok := readStat(pid); ok && !s.ended {
				all[pid] = s
			}
		}
	}
	for m := range t.known {
		if all[m.pid].began != m.began {
			delete(t.known, m)
		}
	}
	self, group := os.Getpid(), syscall.Getpgrp()
	descends := func(pid int) bool {
		for range len(all) {
			s, ok := all[pid]
			switch {
			case pid == self || !ok:
				return false
			case pid == t.root && s.began == t.since, t.known[member{pid, s.began}]:
				return true
			case s.group == group && s.began >= t.since && t.adopted(all, s):
				return true
			}
			pid = s.parent
		}
		return false
	}
	var pids []int
	found := maps.Clone(t.known)
	for pid, s := range all {
		if descends(pid) {
			found[member{pid, s.began}] = true
			pids = append(pids, pid)
		}
	}
	t.known = found
	return pids
}

// adopted reports whether the parent of a process in hark's group is one that adopts
// orphans: it is in another session, or it is the first process, which did not start
// hark itself. If hark is an orphan itself, its descendants cannot be distinguished
// from its pipeline.
func (t *tree) adopted(all map[int]stat, s stat) bool {
	own := all[os.Getpid()]
	if own.session != os.Getpid() && all[own.parent].session != own.session {
		return false
	}
	parent, ok := all[s.parent]
	return ok && (parent.session != own.session || s.parent == 1 && own.parent != 1)
}

// signal sends sig to all processes of the tree.
func (t *tree) signal(sig syscall.Signal) {
	for _, pid := range t.find() {
		_ = syscall.Kill(pid, sig)
	}
}

// kill kills all processes of the tree, and those that they start meanwhile.
func (t *tree) kill() {
	for range 100 {
		pids := t.find()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
