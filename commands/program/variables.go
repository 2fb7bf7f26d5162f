package program

import (
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
)

// otherVariables are variables of hark that do not belong to a flag.
var otherVariables = []string{"HARK_CONFIG", "HARK_PAGER"}

// warnVariables warns of variables with a misspelled name of hark's. Others that begin
// with HARK_ may belong to the user.
func (p *Program) warnVariables(line *cmdline.Line) {
	if p.quiet {
		return
	}
	known := make(map[string]bool)
	for _, name := range otherVariables {
		known[name] = true
	}
	for n := line.Command; n != nil; n = n.Parent() {
		for _, o := range n.Flags {
			known[o.Variable()] = true
		}
	}
	var strange []string
	for _, e := range p.Environ() {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "HARK_") && value != "" && !known[name] {
			strange = append(strange, name)
		}
	}
	if len(strange) == 0 {
		return // the usual case, in which not all commands are built
	}
	line.Command.Root().Walk(func(n *cmdline.Command) {
		for _, o := range n.Flags {
			known[o.Variable()] = true
		}
	})
	for _, name := range strange {
		if known[name] {
			continue
		}
		if near := nearVariable(name, known); near != "" {
			p.Say.Warning("%s is not a variable of hark; did you mean %s?", cmdline.Cut(name, 60), near)
		}
	}
}

// nearVariable returns the variable that differs from name in at most two letters, and
// at most one in three after HARK_; "" if there is none.
func nearVariable(name string, known map[string]bool) string {
	best, least := "", min(2, (len(name)-len("HARK_"))/3)+1
	for k := range known {
		if k == "" || len(k) > len(name)+2 || len(name) > len(k)+2 {
			continue
		}
		if d := cmdline.Distance([]rune(name), []rune(k)); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	return best
}
