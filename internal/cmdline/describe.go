package cmdline

import (
	"encoding/json"
	"strings"
)

// A CommandDoc describes a command, as "hark help --json" prints it and as the
// manual and the completions use it.
type CommandDoc struct {
	// Path returns the command as typed: "hark drogue tail".
	Path        string       `json:"path"`
	Summary     string       `json:"summary"`
	Synopsis    string       `json:"synopsis"` // "hark drogue tail [FLAGS] APP[/CHANNEL]"
	Examples    []string     `json:"examples,omitempty"`
	Description string       `json:"description,omitempty"`
	Arguments   []ArgDoc     `json:"arguments,omitempty"`
	Flags       []FlagDoc    `json:"flags,omitempty"`
	Commands    []CommandDoc `json:"commands,omitempty"`
}

// Leaves returns the commands with a Run, in the order of the help.
func (d CommandDoc) Leaves() []CommandDoc {
	if len(d.Commands) == 0 {
		return []CommandDoc{d}
	}
	var out []CommandDoc
	for _, c := range d.Commands {
		out = append(out, c.Leaves()...)
	}
	return out
}

// An ArgDoc describes an argument.
type ArgDoc struct {
	Name  string `json:"name"`
	Usage string `json:"usage"`
}

// A FlagDoc describes a flag.
type FlagDoc struct {
	Name     string `json:"name"`            // "--count"
	Short    string `json:"short,omitempty"` // "-n"
	Value    string `json:"value,omitempty"` // the placeholder, "N"; empty for a flag without a value
	Usage    string `json:"usage"`
	Detail   string `json:"-"` // the part of Usage that short texts omit
	Group    string `json:"group,omitempty"`
	Default  string `json:"default,omitempty"`
	Variable string `json:"variable,omitempty"` // of the environment
	Repeat   bool   `json:"repeatable,omitempty"`
	Secret   bool   `json:"secret,omitempty"`
}

// Describe returns the descriptions of n and the commands below it.
func (n *Command) Describe() CommandDoc {
	d := CommandDoc{
		Path: n.path, Summary: n.Usage, Synopsis: n.usageLine(),
		Description: strings.TrimSpace(n.Description),
	}
	if e := strings.TrimSpace(n.Examples); e != "" {
		d.Examples = strings.Split(strings.ReplaceAll(e, "\\\n", "\\\x00"), "\n")
		for i := range d.Examples {
			d.Examples[i] = strings.ReplaceAll(d.Examples[i], "\x00", "\n")
		}
	}
	for _, row := range n.explained() {
		d.Arguments = append(d.Arguments, ArgDoc{row[0], row[1]})
	}
	for _, o := range n.Flags {
		if !o.Hidden {
			d.Flags = append(d.Flags, o.describe())
		}
	}
	for _, c := range n.visible() {
		d.Commands = append(d.Commands, c.Describe())
	}
	return d
}

func (f *Flag) describe() FlagDoc {
	d := FlagDoc{
		Name: f.String(), Value: f.Placeholder(), Usage: f.full(), Detail: f.Detail, Group: f.Group,
		Default: f.deflt, Variable: f.Variable(), Repeat: f.Repeats(), Secret: f.Secret,
	}
	if s := f.short(); s != "" && s != f.Name {
		d.Short = "-" + s
	}
	return d
}

// writeJSON prints the whole tree as JSON.
func (a *App) writeJSON() error {
	e := json.NewEncoder(a.config.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(a.root.Describe())
}
