package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A client is a program that prints what comes from a WebSocket.
type client struct {
	name string
	path string // "" when it is not there
	// argv returns its arguments for a case.
	argv func(path, url string, c testCase) []string
	// prefix is what it puts in front of each message.
	prefix string
	// filter is the program that filters what it prints; nil when it does that itself.
	filter []string
	// share of the events that it gets, so that slow ones take no longer.
	share float64
	// tls and deflate tell what it can do.
	tls, deflate bool
}

const (
	hark     = "hark"
	websocat = "websocat"
	withJaq  = "websocat with jaq -c" // for cases with a filter
	wscat    = "wscat"
	uwsc     = "uwsc"
	bare     = "floor"
	harkRun  = "hark run"
)

// clients looks for the programs: peers in deps first, where peers.sh puts them.
func clients(harkPath, deps string) []client {
	self, _ := os.Executable()
	websocatPath := look(filepath.Join(deps, "cargo", "bin", "websocat"), "websocat")
	websocatArgv := func(path, url string, c testCase) []string {
		// -B: it would cut messages of its buffer's size in two
		return []string{path, "-t", "-U", "-B", "131072", url}
	}
	jaqPath := jaq(deps)
	withJaqPath := websocatPath
	if jaqPath == "" {
		withJaqPath = ""
	}
	return []client{
		{name: hark, path: look(harkPath), share: 1, tls: true, deflate: true,
			argv: func(path, url string, c testCase) []string {
				argv := []string{path, "connect", url}
				if c.filter != "" {
					argv = append(argv, "--jq", c.filter)
				}
				if c.deflated {
					argv = append(argv, "--compression", "on")
				}
				return argv
			}},
		{name: websocat, path: websocatPath, share: 1, tls: true, filter: []string{"jq", "-c"}, argv: websocatArgv},
		{name: withJaq, path: withJaqPath, share: 1, filter: []string{jaqPath, "-c"}, argv: websocatArgv},
		{name: wscat, path: look(filepath.Join(deps, "node_modules", ".bin", "wscat"), "wscat"), share: 0.1, tls: true, deflate: true,
			argv: func(path, url string, c testCase) []string { return []string{path, "-c", url} }},
		{name: uwsc, path: look("uwsc"), share: 0.05, prefix: "\b\b",
			argv: func(path, url string, c testCase) []string { return []string{path, "-q", "-i", url} }},
		{name: harkRun, path: look(harkPath), share: 1,
			argv: func(path, url string, c testCase) []string {
				return []string{path, "run", "bench/recipe.toml", url, "--retries", "0"}
			}},
		{name: bare, path: self, share: 4, tls: true,
			argv: func(path, url string, c testCase) []string { return []string{path, "floor", url} }},
	}
}

// jaq is where jaq is, or "".
func jaq(deps string) string { return look(filepath.Join(deps, "cargo", "bin", "jaq"), "jaq") }

// look returns the first of the programs that is there, or "".
func look(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			if abs, err := filepath.Abs(path); err == nil {
				return abs
			}
		}
	}
	return ""
}

// can reports whether the client takes part in a case.
func (p client) can(c testCase) bool {
	switch {
	case p.path == "" || c.secure && !p.tls || c.deflated && !p.deflate:
		return false
	case c.filter != "" && len(c.only) == 0:
		return p.name == hark || p.filter != nil
	case p.name == withJaq:
		return false
	case len(c.only) == 0:
		return p.name != harkRun
	}
	return slices.Contains(c.only, p.name)
}

// stages are the processes for a case. hark filters by itself.
func (p client) stages(url string, c testCase) [][]string {
	stages := [][]string{p.argv(p.path, url, c)}
	if c.filter != "" && p.filter != nil {
		stages = append(stages, append(slices.Clone(p.filter), c.filter))
	}
	return stages
}

// version asks a program for its version.
func version(path string, args ...string) string {
	if path == "" {
		return "not there"
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || line == "" {
		return "unknown version"
	}
	return line
}
