package cmdline

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Topic is a help text about something other than a command.
type Topic struct {
	// Name is one word, as in "hark help exit-codes".
	Name string
	// Summary is one line for the list of topics.
	Summary string
	// Text: paragraphs are wrapped, indented lines are not.
	Text string
}

// helpFor prints "help WORD…" to stdout. If a topic and a command have the same name,
// it prints the topic, which has no other way to be shown.
func (a *App) helpFor(words []string) error {
	if len(words) == 1 && slices.ContainsFunc(a.config.Topics, func(t Topic) bool { return t.Name == words[0] }) {
		return a.topicFor(words[0])
	}
	n := a.root
	for i, word := range words {
		c := n.Child(word)
		if c == nil && i == 0 {
			return a.topicFor(word)
		}
		if c == nil {
			return UnknownCommand(n, word)
		}
		n = c
	}
	return a.show(a.helpText(n, false))
}

// show prints a requested help text.
func (a *App) show(text string) error {
	if a.config.Page != nil {
		return a.config.Page(text)
	}
	_, err := io.WriteString(a.config.Stdout, text)
	return err
}

func (a *App) topicFor(name string) error {
	if name == "topics" {
		h := &helpText{width: a.width()}
		h.topics(a.config.Topics)
		return a.show(h.b.String())
	}
	names := make([]string, len(a.config.Topics))
	for i, t := range a.config.Topics {
		names[i] = t.Name
		if t.Name == name {
			text := t.Text
			if c := a.root.Child(name); c != nil {
				text = strings.TrimRight(text, "\n") + fmt.Sprintf("\n\n'%s --help' explains the command.", c.path)
			}
			return a.show(wrapText(text, a.width(), 0))
		}
	}
	for _, c := range a.root.visible() {
		names = append(names, c.Name)
	}
	err := &UsageError{Message: "no help about" + Mention(name), Command: a.root.path}
	if near := Nearest(name, names); near != "" {
		err.Suggestion = a.root.path + " help " + near
	}
	return err
}

func (a *App) width() int {
	if a.config.Width == 0 {
		return 80
	}
	return max(a.config.Width, 40)
}

// shortLines is the maximum number of lines of the short help of a command.
const shortLines = 50

// helpText returns the help of a command: examples first, because most readers look for
// them. The short help omits what does not fit: the names of rare flags, then all
// examples but a few, then parts of the description.
func (a *App) helpText(n *Command, all bool) string {
	if all || n == a.root {
		return a.helpWithout(n, all, 0)
	}
	text := ""
	for level := range leaveDescription + 1 {
		text = a.helpWithout(n, false, level)
		if strings.Count(text, "\n") <= shortLines {
			break
		}
	}
	return text
}

// What the short help omits, in this order, until it fits.
const (
	leaveNames       = iota + 1 // the names of rare flags
	leaveExamples               // examples after the first three lines
	leaveParagraphs             // the description after its first paragraph
	leaveDescription            // the description
)

func (a *App) helpWithout(n *Command, all bool, level int) string {
	h := &helpText{width: a.width(), all: all, level: level, rare: a.config.Rare, heads: a.config.Heading}
	if examples := strings.TrimSpace(n.Examples); examples != "" {
		h.heading("Examples")
		const most = 3
		before, lines := h.b.Len(), 0
		for line := range strings.Lines(examples) {
			if !strings.HasPrefix(line, " ") {
				before = h.b.Len()
			}
			h.example(strings.TrimRight(line, "\n"))
			lines = strings.Count(h.b.String(), "\n") - 1
			if level >= leaveExamples && lines > most {
				kept := h.b.String()[:before]
				h.b.Reset()
				h.b.WriteString(kept)
				break
			}
		}
	}
	h.heading("Usage")
	h.line("  " + n.usageLine())
	h.gap()
	if usage := n.Usage; usage != "" {
		h.text(strings.ToUpper(usage[:1]) + usage[1:] + ".")
	}
	d := strings.TrimSpace(n.Description)
	if level >= leaveParagraphs {
		d, _, _ = strings.Cut(d, "\n\n")
	}
	if d != "" && level < leaveDescription {
		h.gap()
		h.text(d)
	}
	h.arguments(n)
	h.commands(n)
	h.options(n)
	if n == a.root && len(a.config.Topics) > 0 {
		h.topicNames(a.config.Topics)
	}
	if n == a.root {
		h.gap()
		h.text(fmt.Sprintf("'%s help COMMAND' and '%[1]s help TOPIC' have the details.", n.path))
	}
	if !all && !n.IsGroup() {
		h.gap()
		h.text(fmt.Sprintf("'%s --help-all' explains all flags.", n.path))
	}
	return h.b.String()
}

// topicNames lists the topics and the command that shows them.
func (h *helpText) topicNames(topics []Topic) {
	if h.all {
		h.topics(topics)
		return
	}
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	h.heading("Topics")
	h.b.WriteString(wrapText(strings.Join(names, ", "), h.width, 2))
}

func (h *helpText) topics(topics []Topic) {
	h.heading("Topics")
	var rows [][2]string
	for _, t := range topics {
		rows = append(rows, [2]string{t.Name, t.Summary})
	}
	h.table(rows)
}

// usageLine returns the synopsis of the command.
func (n *Command) usageLine() string {
	line := n.path
	synopsis := n.synopsis()
	if n.IsGroup() {
		line += " " + cmp.Or(synopsis, "COMMAND")
		synopsis = ""
	}
	if slices.ContainsFunc(n.Flags, func(f *Flag) bool { return !f.builtin }) {
		line += " [FLAGS]"
	}
	if synopsis != "" {
		line += " " + synopsis
	}
	return line
}

// A helpText builds a help text.
type helpText struct {
	b     strings.Builder
	width int
	all   bool // omit nothing
	level int  // what to omit to save lines
	rare  func(*Flag) bool
	heads func(*Flag) string
}

func (h *helpText) line(s string) { h.b.WriteString(strings.TrimRight(s, " ") + "\n") }

// gap adds an empty line, except at the beginning.
func (h *helpText) gap() {
	if h.b.Len() > 0 && !strings.HasSuffix(h.b.String(), "\n\n") {
		h.b.WriteByte('\n')
	}
}

func (h *helpText) heading(s string) {
	h.gap()
	h.line(s + ":")
}

// example writes a command line. A long one is broken at spaces outside quotes, with
// backslashes.
func (h *helpText) example(s string) {
	for {
		at, quote := 0, rune(0)
		for i, r := range s {
			switch {
			case quote == 0 && (r == '\'' || r == '"'):
				quote = r
			case r == quote:
				quote = 0
			case r == ' ' && quote == 0 && i > 4 && utf8.RuneCountInString(s[:i]) <= h.width-4:
				at = i
			}
		}
		if at == 0 || utf8.RuneCountInString(s) <= h.width-2 {
			h.line("  " + s)
			return
		}
		h.line("  " + s[:at] + " \\")
		s = "    " + strings.TrimLeft(s[at:], " ")
	}
}

func (h *helpText) text(s string) { h.b.WriteString(wrapText(s, h.width, 0)) }

// table writes rows of a name and its explanation in two columns. A long name is on its
// own line.
func (h *helpText) table(rows [][2]string) {
	h.columns(rows, leftColumn(rows))
}

// widestLeft is the width of the widest name with its text on the same line.
const widestLeft = 28

// leftColumn returns the width of the column of names.
func leftColumn(rows [][2]string) int {
	left := 0
	for _, r := range rows {
		if w := utf8.RuneCountInString(r[0]); w <= widestLeft {
			left = max(left, w)
		}
	}
	return left
}

func (h *helpText) columns(rows [][2]string, left int) {
	for _, r := range rows {
		text := wrapText(r[1], h.width, left+4)
		if w := utf8.RuneCountInString(r[0]); w <= left {
			text = strings.TrimPrefix(text, strings.Repeat(" ", left+4))
			h.b.WriteString("  " + r[0] + strings.Repeat(" ", left-w+2) + text)
		} else {
			h.line("  " + r[0])
			h.b.WriteString(text)
		}
		if text == "" {
			h.b.WriteByte('\n')
		}
	}
}

func (h *helpText) arguments(c *Command) {
	if rows := c.explained(); len(rows) > 0 {
		h.heading("Arguments")
		h.table(rows)
	}
}

// commands lists the commands below n by group. The short help of the program names
// only the commands below each group; otherwise each command is listed with its path
// from n: "devices list".
func (h *helpText) commands(n *Command) {
	var groups []string
	rows := make(map[string][][2]string)
	add := func(c *Command, about string) {
		top := c
		for top.parent != n {
			top = top.parent
		}
		if !slices.Contains(groups, top.Group) {
			groups = append(groups, top.Group)
		}
		rows[top.Group] = append(rows[top.Group], [2]string{strings.TrimPrefix(c.path, n.path+" "), about})
	}
	if n.parent == nil && !h.all {
		for _, c := range n.visible() {
			add(c, c.Usage+c.names())
		}
	} else {
		n.Walk(func(c *Command) {
			if c != n && !c.hiddenBelow(n) && !c.IsGroup() {
				add(c, c.Usage)
			}
		})
	}
	for _, g := range groups {
		h.heading(cmp.Or(g, "Commands"))
		h.table(rows[g])
	}
}

// names lists the commands below n, after a colon.
func (n *Command) names() string {
	var names []string
	for _, c := range n.visible() {
		names = append(names, c.Name)
	}
	if names == nil {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

// hiddenBelow reports whether n, or a command between it and top, is hidden.
func (n *Command) hiddenBelow(top *Command) bool {
	for ; n != top; n = n.parent {
		if n.Hidden {
			return true
		}
	}
	return false
}

// wrapText wraps paragraphs at width columns and indents them. Empty lines and
// lines that are indented already stay.
func wrapText(s string, width, indent int) string {
	var b strings.Builder
	column := 0
	margin := strings.Repeat(" ", indent)
	end := func() {
		if column > 0 {
			b.WriteByte('\n')
		}
		column = 0
	}
	for line := range strings.Lines(strings.TrimRight(s, "\n ")) {
		line = strings.TrimRight(line, "\n ")
		if line == "" || line[0] == ' ' || line[0] == '\t' {
			end()
			b.WriteString(strings.TrimRight(margin+line, " ") + "\n")
			continue
		}
		for word := range strings.FieldsSeq(line) {
			w := utf8.RuneCountInString(word)
			if column > 0 && column+1+w > width {
				end()
			}
			if column == 0 {
				b.WriteString(margin)
				column = indent
			} else {
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += w
		}
	}
	end()
	return b.String()
}
