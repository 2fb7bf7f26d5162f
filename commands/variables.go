package commands

import "strings"

// otherVariables are variables of hark's that no flag has.
var otherVariables = []string{"HARK_CONFIG", "HARK_PAGER"}

// warnVariables warns of variables that are nearly one of hark's, which nothing reads.
// Others that begin with HARK_ are those of somebody else.
func (p *program) warnVariables(line *commandLine) {
	if p.quiet || p.checking {
		return
	}
	known := make(map[string]bool)
	for _, name := range otherVariables {
		known[name] = true
	}
	for n := line.node; n != nil; n = n.parent {
		for _, o := range n.options {
			known[o.variable] = true
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
		return // the usual case, in which not all commands need be made
	}
	line.node.root().walk(func(n *node) {
		for _, o := range n.options {
			known[o.variable] = true
		}
	})
	for _, name := range strange {
		if known[name] {
			continue
		}
		if near := nearVariable(name, known); near != "" {
			p.say.warning("%s is not a variable of hark's; did you mean %s?", cut(name, 60), near)
		}
	}
}

// nearVariable is the variable that name is at most two letters away from, and no more
// than one in three of what follows HARK_; "" if there is none.
func nearVariable(name string, known map[string]bool) string {
	best, least := "", min(2, (len(name)-len("HARK_"))/3)+1
	for k := range known {
		if k == "" || len(k) > len(name)+2 || len(name) > len(k)+2 {
			continue
		}
		if d := distance([]rune(name), []rune(k)); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	return best
}
