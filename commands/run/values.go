package run

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/recipe"
)

// check makes values of what was given for the parameters.
func (o *options) check(ctx context.Context, p *program.Program, line *cmdline.Line) error {
	if err := program.CheckDuration(line, "ack-timeout", o.ackTimeout, false); err != nil {
		return err
	}
	switch {
	case !(o.rate >= 0 && o.rate <= 1e9):
		return cmdline.ValueErrorf(line.GivenAs("rate"), strconv.FormatFloat(o.rate, 'g', -1, 64), "expected a number of messages per second")
	case line.GivenAs("rate") != "" && !o.emulator:
		return cmdline.FlagErrorf(line.GivenAs("rate"), " requires --emulator")
	}
	o.values, o.secrets = make(map[string]any), make(map[string]proto.TokenSource)
	args := line.Args()
	for i := range o.recipe.Params {
		q := &o.recipe.Params[i]
		if q.Secret {
			defaultSecret(p, q)
		}
		as, texts := "", []string(nil)
		switch {
		case q.Arg && q.Repeat && len(args) == 0:
			continue
		case q.Arg && q.Repeat:
			as, texts, args = argument(q), args, nil
		case q.Arg && len(args) > 0:
			as, texts, args = argument(q), args[:1], args[1:]
		case q.Arg && q.Default == nil && !o.emulator:
			return cmdline.Usagef("missing argument: %s", argument(q))
		case q.Arg || line.GivenAs(q.Name) == "":
			continue
		default:
			as, texts = line.GivenAs(q.Name), o.flags[q.Name].texts(q)
		}
		if err := o.value(ctx, p, q, as, texts); err != nil {
			return err
		}
	}
	return nil
}

// defaultSecret has the default of a credential withheld. It is no reference.
func defaultSecret(p *program.Program, q *recipe.Param) {
	list, _ := q.Default.([]any)
	for _, v := range append(list, q.Default) {
		if s, ok := v.(string); ok {
			p.Say.Add(s)
		}
	}
}

// texts are the values that were given for a flag.
func (g *given) texts(q *recipe.Param) []string {
	switch {
	case q.Repeat:
		return g.list
	case q.Type == recipe.Bool:
		return []string{map[bool]string{true: "true", false: "false"}[g.bool]}
	}
	return []string{g.text}
}

// value takes what was given for a parameter: a credential or a reference to one, or a
// value or a file that has it.
func (o *options) value(ctx context.Context, p *program.Program, q *recipe.Param, as string, texts []string) error {
	var list []any
	for _, text := range texts {
		if q.Secret && !q.Repeat {
			source, _, err := p.Source(as, text)
			o.secrets[q.Name] = source
			return err
		}
		v, err := one(ctx, p, q, as, text)
		if err != nil {
			return err
		}
		list = append(list, v)
	}
	switch {
	case q.Repeat && len(list) > 0:
		o.values[q.Name] = list
	case !q.Repeat:
		o.values[q.Name] = list[0]
	}
	return nil
}

// one is one value of a parameter.
func one(ctx context.Context, p *program.Program, q *recipe.Param, as, text string) (any, error) {
	if q.Secret {
		source, _, err := p.Source(as, text)
		if err != nil || source == nil {
			return text, err
		}
		v, err := source(ctx)
		if err != nil {
			return nil, program.CredentialFailure(err)
		}
		return v.Reveal(), nil
	}
	if path, ok := strings.CutPrefix(text, "@"); ok {
		if strings.HasPrefix(path, "@") {
			text = path
		} else {
			b, err := p.ReadNamed(ctx, as, path, bounded.Config)
			if err != nil {
				return nil, err
			}
			text = strings.TrimRight(string(b), "\r\n") // as the shell has it
		}
	}
	v, err := q.Value(text)
	if err != nil {
		return nil, cmdline.FlagErrorf(as, ": %v", err)
	}
	return v, nil
}

// recorded are the parameters in a recording, in which a mask stands for credentials.
func (o *options) recorded() json.RawMessage {
	values := maps.Clone(o.values)
	for _, q := range o.recipe.Params {
		switch _, given := values[q.Name]; {
		case !q.Secret:
		case given && q.Repeat:
			values[q.Name] = []any{secret.Mask}
		case given || o.secrets[q.Name] != nil:
			values[q.Name] = secret.Mask
		}
	}
	if len(values) == 0 {
		return nil
	}
	b, err := eventjson.AppendValue(nil, values)
	if err != nil {
		return nil
	}
	return b
}

// selection is what the user gives for parameters that are no credentials, for --cursor.
func (o *options) selection() (list []string) {
	for _, q := range o.recipe.Params {
		if v, given := o.values[q.Name]; given && !q.Secret {
			b, _ := eventjson.AppendValue([]byte("--"+q.Name+" "), v)
			list = append(list, string(b))
		}
	}
	return list
}
