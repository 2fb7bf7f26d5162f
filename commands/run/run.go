// Package run is "hark run": a service that a recipe describes.
package run

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/recipes"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/recipe"
)

// Command is "hark run". Each recipe is a command below it, whose flags are the
// parameters of the recipe.
func Command(p *program.Program) *cmdline.Command {
	c := &cmdline.Command{
		Name:  "run",
		Usage: "stream a service by its recipe",
		Examples: `hark run homeassistant --emulator -n 2
hark run discord --token env:DISCORD_TOKEN
hark run ./mine.toml --help`,
		Args: "RECIPE [ARGUMENT…]\nRECIPE\tthe name of a recipe, see 'hark recipe list', or a file: ./NAME.toml",
		Description: "The flags of a recipe are its parameters, and those of every stream. 'hark recipe show' says where " +
			"a recipe connects to and what it sends there.",
	}
	c.Commands = func() (list []*cmdline.Command) {
		for _, f := range recipes.List(p) {
			if sv := listed(p, c, f.Name); sv != nil {
				list = append(list, sv.Command(p))
			}
		}
		return list
	}
	c.Open = func(name string) (*cmdline.Command, error) {
		sv, err := Find(p, c, name)
		if sv == nil && err == nil && name != "help" {
			_, err = recipes.Find(context.Background(), p, name) // for its error
		}
		if sv == nil || err != nil {
			return nil, err
		}
		return sv.Command(p), nil
	}
	return c
}

// listed is the service of a recipe for help, completion and the settings of a file, which
// leave out one with mistakes; nil for that.
func listed(p *program.Program, c *cmdline.Command, name string) *stream.Service {
	f, err := recipes.Find(context.Background(), p, name)
	if err != nil {
		return nil
	}
	r, err := f.Outline()
	if err != nil || recipes.CheckNames(r, c) != nil {
		return nil
	}
	return service(f, r)
}

// Find makes the service of a recipe that is typed as name, for a command of the program;
// nil if there is none of the name. Its error is for the user.
func Find(p *program.Program, c *cmdline.Command, name string) (*stream.Service, error) {
	if strings.Contains(name, "://") { // an address
		return nil, nil
	}
	if !recipes.IsFile(name) && !slices.ContainsFunc(recipes.List(p), func(f *recipes.File) bool { return f.Name == name }) {
		return nil, nil
	}
	f, err := recipes.Find(context.Background(), p, name)
	if err != nil {
		return nil, err
	}
	r, err := f.Parse()
	if err != nil {
		return nil, err
	}
	if err := recipes.CheckNames(r, c); err != nil {
		return nil, err
	}
	return service(f, r), nil
}

// Player makes what reads a recording that contains its recipe.
func Player(head proto.RecordingHead) (proto.Player, error) {
	r, err := recipe.Parse("the recipe of the recording", []byte(head.Recipe))
	if err != nil {
		return nil, err
	}
	var d eventjson.Decoder
	v, _ := d.Decode(head.Params)
	values, _ := v.(map[string]any) // without any, the defaults count
	return r.Service(recipe.Options{Values: values})
}

// service is a recipe, as a list of services has it.
func service(f *recipes.File, r *recipe.Recipe) *stream.Service {
	open := func(p *program.Program) *stream.Streaming { return newStream(p, f, r) }
	return &stream.Service{
		Name: r.Name, Title: cmp.Or(r.About, r.Name),
		Command: func(p *program.Program) *cmdline.Command { return open(p).Run(p) },
		Stream:  open, Requests: r.Requests(),
	}
}

// options are what the flags of a recipe say.
type options struct {
	recipe     *recipe.Recipe
	ackTimeout time.Duration
	emulator   bool
	rate       float64           // of the emulator, in messages per second
	flags      map[string]*given // of the parameters, by name
	values     map[string]any
	secrets    map[string]proto.TokenSource
}

// A given is what the user gives for a parameter.
type given struct {
	text string
	list []string
	bool bool
}

func newStream(p *program.Program, file *recipes.File, r *recipe.Recipe) *stream.Streaming {
	f := stream.NewFlags()
	o := &options{recipe: r, ackTimeout: 10 * time.Second, rate: emulator.DefaultOptions().Rate, flags: make(map[string]*given)}
	flags := []*cmdline.Flag{{Name: "emulator", Group: program.CatService, Value: cmdline.Bool(&o.emulator),
		Usage: "use the built-in emulator instead of the service"}, {Name: "rate", Rare: true, Group: program.CatService, Value: cmdline.Float(&o.rate),
		Usage: "with --emulator, send `N` messages per second"}, {Name: "ack-timeout", Rare: true, Group: program.CatService, Value: cmdline.Duration(&o.ackTimeout),
		Usage: "wait at most `D` until a connection is ready"}}
	for i := range r.Params {
		if q := &r.Params[i]; !q.Arg {
			flags = append(flags, o.flag(q))
		}
	}
	for _, g := range cmdline.Own(config.RecipeService(r.Name), flags...) {
		g.LineOnly = file.Origin == recipes.Named // a stranger's file must not choose which settings it gets
	}
	name := r.Name
	if file.Origin == recipes.Named {
		name = file.Name
	}
	refused := ""
	if !r.HasCursor() {
		refused = "the recipe " + r.Name + " has no [cursor]"
	}
	return &stream.Streaming{Flags: f, NoCursor: refused, Command: &cmdline.Command{
		Name: name, Usage: cmp.Or(plain(r.About), "events of "+r.Name), Examples: o.examples(name, file), Args: o.synopsis(),
		Description: o.description(),
		Flags:       append(flags, f.Flags()...),
	},
		Check: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			return o.check(ctx, p, line)
		},
		Open: func(ctx context.Context, line *cmdline.Line, s *stream.Stream) (*stream.Opened, error) {
			if o.emulator {
				if err := o.emulate(ctx, file, s); err != nil {
					return nil, err
				}
			}
			svc, err := r.Service(recipe.Options{
				Values: o.values, Secrets: o.secrets, AckTimeout: o.ackTimeout,
				Client: s.Client(), Redirects: f.Dial().MaxRedirects > 0,
				Limits: recipe.Limits{Timeout: f.JQTimeout(), MaxValue: f.MaxMessage()},
			})
			if err != nil {
				return nil, err
			}
			return &stream.Opened{
				Service: svc, Place: strings.Join(append([]string{r.Name}, line.Args()...), " "),
				Recipe: string(r.Source), Params: o.recorded(), Streams: o.selection(),
			}, nil
		},
		Hint: func(*cmdline.Line, error) string { return "" },
	}
}

// plain is a text of a recipe in a help text, where backquotes mean something.
func plain(text string) string { return strings.ReplaceAll(text, "`", "'") }

// manyParams is how many parameters a recipe has of which the short help explains all.
const manyParams = 5

// flag is that of a parameter.
func (o *options) flag(q *recipe.Param) *cmdline.Flag {
	g := &given{}
	o.flags[q.Name] = g
	f := &cmdline.Flag{
		Name: q.Name, Group: program.CatService, Secret: q.Secret,
		Usage: cmp.Or(plain(q.About), "parameter of the recipe"),
		// The short help has room for a few.
		Rare: len(o.recipe.Params) > manyParams && q.Default != nil,
	}
	switch {
	case q.Type == recipe.Bool && !q.Repeat:
		g.bool, _ = q.Default.(bool)
		f.Value = cmdline.Bool(&g.bool)
		return f
	case q.Repeat:
		f.Value = cmdline.Strings(&g.list)
	default:
		f.Value = cmdline.String(&g.text)
	}
	f.Usage += ", `" + placeholder(q) + "`"
	if q.Secret {
		f.Detail = credential.Forms
	} else if q.Default != nil {
		f.Default = shown(q.Default)
	}
	return f
}

// placeholder stands for the value of a parameter.
func placeholder(q *recipe.Param) string {
	switch {
	case q.Secret:
		return "SECRET"
	case q.Type == recipe.Number:
		return "N"
	case q.Type == recipe.JSON:
		return "JSON"
	case q.Type == recipe.Bool:
		return "true|false"
	}
	return "TEXT"
}

// shown is a default in a help text.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			texts[i] = shown(v[i])
		}
		return strings.Join(texts, ", ")
	}
	b, _ := eventjson.AppendValue(nil, v)
	return string(b)
}

// synopsis is that of the arguments, and what they are.
func (o *options) synopsis() string {
	var words, lines []string
	for _, q := range o.recipe.Params {
		if !q.Arg {
			continue
		}
		word := argument(&q)
		lines = append(lines, word+"\t"+cmp.Or(plain(q.About), "parameter of the recipe"))
		if q.Repeat {
			word += "…"
		}
		words = append(words, "["+word+"]") // with --emulator, nothing is needed
	}
	return strings.Join(append([]string{strings.Join(words, " ")}, lines...), "\n")
}

// argument names the argument of a parameter.
func argument(q *recipe.Param) string { return strings.ToUpper(q.Name) }

func (o *options) description() string {
	if o.recipe.Docs == "" {
		return ""
	}
	return "Vendor's page: " + plain(o.recipe.Docs)
}

// examples shows how the recipe is run; the first line needs nothing but hark.
func (o *options) examples(name string, file *recipes.File) string {
	var line strings.Builder
	line.WriteString("hark run " + name)
	for _, q := range o.recipe.Params {
		switch {
		case q.Arg && !q.Repeat && q.Default == nil:
			line.WriteString(" " + argument(&q))
		case q.Secret && !q.Arg:
			line.WriteString(" --" + q.Name + " env:" + strings.ToUpper(strings.ReplaceAll(q.Name, "-", "_")))
		}
	}
	if file.Origin == recipes.BuiltIn {
		return "hark run " + name + " --emulator -n 2\n" + line.String()
	}
	return line.String()
}
