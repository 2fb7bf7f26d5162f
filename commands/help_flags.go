package commands

import (
	"slices"
	"strings"
)

// foldedGroups are headings under which the short help explains only the flags of
// essentialFlags, and names the others.
var foldedGroups = []string{catReady, catStatus, catLink, catProxy, catTLS, catPrompt}

// essentialFlags are those of the foldedGroups that many have a use for.
var essentialFlags = []string{
	"on-ready", "status", "retries", "header", "proxy", "insecure", "cacert", "interactive",
	"subprotocol", "user", "send", "send-file", "reconnect", // of connect
}

// foldedFlags are named only in other groups.
var foldedFlags = []string{
	"jq-error", "jq-timeout", "null", "time", "color", // Output
	"token-store", "auth-in-query", "ack-timeout", "heartbeat", "host-style", "app-version", // Service
}

// A flagGroup is what the help lists under one heading.
type flagGroup struct {
	heading string
	rows    [][2]string
	folded  []string // named only
}

// options lists the flags of n in the groups that they state, those without a
// group first, then those of the commands above it.
func (h *helpText) options(n *node) {
	groups := []*flagGroup{{heading: "Flags"}}
	left := 0
	for at := n; at != nil; at = at.parent {
		for _, o := range at.options {
			if o.hidden {
				continue
			}
			g := groupOf(&groups, o, at)
			if !h.all && folded(g.heading, o.name()) {
				g.folded = append(g.folded, dashed(o.name()))
				continue
			}
			row := [2]string{o.left(), h.right(o)}
			g.rows = append(g.rows, row)
			left = max(left, leftColumn([][2]string{row}))
		}
	}
	for _, g := range groups {
		if len(g.rows)+len(g.folded) == 0 {
			continue
		}
		h.heading(g.heading)
		h.columns(g.rows, left)
		h.b.WriteString(wrapText(strings.Join(g.folded, ", "), h.width, 6))
	}
}

func folded(heading, flag string) bool {
	return slices.Contains(foldedGroups, heading) && !slices.Contains(essentialFlags, flag) ||
		(heading == catOutput || heading == catService) && slices.Contains(foldedFlags, flag)
}

// groupOf finds the group of a flag of at, or begins one.
func groupOf(groups *[]*flagGroup, o *option, at *node) *flagGroup {
	heading := o.category
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

// left is the flag as it is typed: "-n, --count N", "    --color[=WHEN]".
func (o *option) left() string {
	s := dashed(o.name())
	switch short := o.short(); {
	case short == "":
		s = "    " + s
	case short != o.name():
		s = "-" + short + ", " + s
	}
	switch {
	case o.takesValue:
		s += " " + o.placeholder
	case o.placeholder != "":
		s += "[=" + o.placeholder + "]"
	}
	return s
}

// right is what the flag does, and its default; if all is wanted, also how else it
// can be set. What the placeholder says already is left out.
func (h *helpText) right(o *option) string {
	usage := o.usage
	if o.secret && !h.all {
		usage = strings.TrimSuffix(usage, ": "+secretForms)
		usage = strings.TrimSuffix(usage, ", "+o.placeholder)
	}
	usage = strings.TrimSuffix(usage, ": "+o.placeholder)
	var notes []string
	if o.repeats {
		notes = append(notes, "repeatable")
	}
	if o.deflt != "" {
		notes = append(notes, "default "+o.deflt)
	}
	if o.variable != "" && h.all {
		notes = append(notes, o.variable)
	}
	if len(notes) == 0 {
		return usage
	}
	return usage + " [" + strings.Join(notes, ", ") + "]"
}
