package cmdline

import (
	"strings"
	"unicode/utf8"
)

// A flagGroup is the list of flags under one heading.
type flagGroup struct {
	heading string
	rows    [][2]string
	folded  []string // listed by name only
}

// options lists the flags of n by group, those without a group first, then those of the
// commands above it.
func (h *helpText) options(n *Command) {
	groups := []*flagGroup{{heading: "Flags"}}
	left := 0
	for at := n; at != nil; at = at.parent {
		for _, o := range at.Flags {
			if o.Hidden || !h.all && at.parent == nil && n.parent != nil {
				continue // the help of the program has the global flags
			}
			g := h.groupOf(&groups, o, at)
			if !h.all && h.rare != nil && h.rare(o) {
				g.folded = append(g.folded, o.String())
				continue
			}
			row := [2]string{o.left(), h.right(o)}
			g.rows = append(g.rows, row)
			left = max(left, leftColumn([][2]string{row}))
		}
	}
	for _, g := range groups {
		if h.level >= leaveNames {
			g.folded = nil
		}
		if len(g.rows)+len(g.folded) == 0 {
			continue
		}
		h.heading(g.heading)
		h.columns(g.rows, left)
		h.b.WriteString(wrapText(strings.Join(g.folded, ", "), h.width, 6))
	}
}

// groupOf returns the group of a flag of at, or adds one.
func (h *helpText) groupOf(groups *[]*flagGroup, o *Flag, at *Command) *flagGroup {
	heading := o.Group
	if !h.all && h.heads != nil {
		heading = h.heads(o)
	}
	switch {
	case at.parent == nil:
		heading = "Global flags"
	case heading == "":
		heading = "Flags"
	}
	for _, g := range *groups {
		if g.heading == heading {
			return g
		}
	}
	g := &flagGroup{heading: heading}
	*groups = append(*groups, g)
	return g
}

// left returns the flag as it is typed: "-n, --count N", "    --color[=WHEN]".
func (f *Flag) left() string {
	s := f.String()
	switch short := f.short(); {
	case short == "":
		s = "    " + s
	case short != f.Name:
		s = "-" + short + ", " + s
	}
	placeholder := f.Placeholder()
	switch {
	case f.TakesValue() && strings.Contains(placeholder, "|") && utf8.RuneCountInString(s+placeholder) >= widestLeft:
		s += " " + strings.ToUpper(f.Name[strings.LastIndexByte(f.Name, '-')+1:]) // the text has the choice
	case f.TakesValue():
		s += " " + placeholder
	case placeholder != "":
		s += "[=" + placeholder + "]"
	}
	return s
}

// right returns the usage and default of the flag; with all, also the details and the
// environment variable. It omits what is in the left column.
func (h *helpText) right(f *Flag) string {
	usage := f.brief()
	for _, before := range []string{": ", ", "} {
		if text, ok := strings.CutSuffix(usage, before+f.Placeholder()); ok && strings.HasSuffix(f.left(), " "+f.Placeholder()) {
			usage = text
		}
	}
	if h.all {
		usage = f.withDetail(usage)
	}
	var notes []string
	if f.Repeats() && h.all {
		notes = append(notes, "repeatable")
	}
	if f.deflt != "" {
		notes = append(notes, "default "+f.deflt)
	}
	if v := f.Variable(); v != "" && h.all {
		notes = append(notes, v)
	}
	if len(notes) == 0 {
		return usage
	}
	noted := usage + " [" + strings.Join(notes, ", ") + "]"
	if !h.all && utf8.RuneCountInString(noted) > h.width-widestLeft-4 {
		return usage // a line of its own is not worth it
	}
	return noted
}
