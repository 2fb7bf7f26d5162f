package commands

import (
	"encoding/json"
	"strings"
)

// A commandDoc describes a command, as "hark help --json" prints it and as the
// manual and the completions use it.
type commandDoc struct {
	// Path is the command as typed: "hark drogue tail".
	Path        string       `json:"path"`
	Summary     string       `json:"summary"`
	Synopsis    string       `json:"synopsis"` // "hark drogue tail [FLAGS] APP[/CHANNEL]"
	Examples    []string     `json:"examples,omitempty"`
	Description string       `json:"description,omitempty"`
	Arguments   []argDoc     `json:"arguments,omitempty"`
	Flags       []flagDoc    `json:"flags,omitempty"`
	Commands    []commandDoc `json:"commands,omitempty"`
}

// An argDoc describes an argument.
type argDoc struct {
	Name  string `json:"name"`
	Usage string `json:"usage"`
}

// A flagDoc describes a flag.
type flagDoc struct {
	Name     string `json:"name"`            // "--count"
	Short    string `json:"short,omitempty"` // "-n"
	Value    string `json:"value,omitempty"` // the placeholder, "N"; empty for a flag without a value
	Usage    string `json:"usage"`
	Group    string `json:"group,omitempty"`
	Default  string `json:"default,omitempty"`
	Variable string `json:"variable,omitempty"` // of the environment
	Repeat   bool   `json:"repeatable,omitempty"`
	Secret   bool   `json:"secret,omitempty"`
}

// describe is what there is to know about n and the commands below it.
func (n *node) describe() commandDoc {
	d := commandDoc{
		Path: n.path, Summary: n.cmd.Usage, Synopsis: n.usageLine(),
		Description: strings.TrimSpace(n.cmd.Description),
	}
	if e := strings.TrimSpace(n.cmd.UsageText); e != "" {
		d.Examples = strings.Split(strings.ReplaceAll(e, "\\\n", "\\\x00"), "\n")
		for i := range d.Examples {
			d.Examples[i] = strings.ReplaceAll(d.Examples[i], "\x00", "\n")
		}
	}
	_, explained, _ := strings.Cut(n.cmd.ArgsUsage, "\n")
	for line := range strings.Lines(explained) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		d.Arguments = append(d.Arguments, argDoc{name, text})
	}
	for _, o := range n.options {
		if !o.hidden {
			d.Flags = append(d.Flags, o.describe())
		}
	}
	for _, c := range n.children() {
		if !c.cmd.Hidden {
			d.Commands = append(d.Commands, c.describe())
		}
	}
	return d
}

func (o *option) describe() flagDoc {
	f := flagDoc{
		Name: dashed(o.name()), Value: o.placeholder, Usage: o.usage, Group: o.category,
		Default: o.deflt, Variable: o.variable, Repeat: o.repeats, Secret: o.secret,
	}
	if s := o.short(); s != "" && s != o.name() {
		f.Short = "-" + s
	}
	return f
}

// writeJSON prints the whole tree for programs.
func (a *app) writeJSON() error {
	e := json.NewEncoder(a.config.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(a.root.describe())
}
