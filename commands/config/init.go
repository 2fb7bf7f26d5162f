package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hark-cli/hark/commands/doctor"
	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/internal/tomlfile"
)

// configInit is "config init": it collects the settings of a service, tries them with
// doctor, and adds them to the file.
func configInit(p *program.Program, all stream.Services) *cmdline.Command {
	names := all.Configurable().Names()
	var try string
	var set []string
	var unchecked bool
	return &cmdline.Command{
		Name: "init", Usage: "ask for the settings of a service, try them, and write them",
		Examples: `hark config init drogue --set user=alice --set access-token=env:DROGUE_ACCESS_TOKEN --no-check
hark config init octave
hark config init drogue --try example-app
hark config init octave --profile staging --set endpoint=https://octave.example.com`,
		Complete: program.WordsOf(names),
		Args:     "SERVICE\nSERVICE\t" + stream.OneOf(names),
		Description: "Asks for the settings that the service requires and --set has not given; an empty answer stands for the " +
			"default in brackets. When stdin is not a terminal, the answers are read from it, one per line. Then 'hark " +
			"doctor' tries the settings, together with those already in the file. If it fails, nothing is written, unless " +
			"you confirm it on a terminal.\n\n" +
			"Only the owner can read the file. With --profile the settings are written to that profile. Existing settings " +
			"are never changed: use 'hark config edit'.",
		Flags: []*cmdline.Flag{
			{Name: "set", Value: cmdline.Strings(&set), Usage: "write this setting instead of asking for it: `KEY=VALUE`; KEY is the long name of a flag"},
			{Name: "try", Value: cmdline.String(&try), Usage: "application or stream `NAME` for the trial; it is not written"},
			{Name: "no-check", Value: cmdline.Bool(&unchecked), Usage: "write the settings without trying them"},
		},
		Run: func(ctx context.Context, line *cmdline.Line) error {
			s := &setup{Program: p, root: line.Command.Root(), profile: line.Value("profile"), try: try}
			sv := all.Configurable().Find(line.Arg(0))
			if sv == nil {
				return stream.UnknownService(line.Arg(0), names)
			}
			s.service = *sv
			s.warns = !line.IsSet("no-warn-secrets")
			if err := s.collect(ctx, set); err != nil {
				return err
			}
			if !unchecked {
				if err := s.check(ctx); err != nil {
					return err
				}
			}
			return s.write()
		},
	}
}

// A setup is one run of "config init".
type setup struct {
	*program.Program
	root    *cmdline.Command
	service stream.Service
	profile string
	try     string
	warns   bool // about credentials on the command line

	file *config.File // as it was
	old  string       // its text
	text string       // its text with the settings
	keys []string     // the written settings
}

// collect returns the new text of the file.
func (s *setup) collect(ctx context.Context, given []string) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	values, err := s.given(given)
	if err != nil {
		return err
	}
	for _, q := range s.service.Settings {
		if _, ok := values[q.Name]; ok || q.With != "" && values[q.With] == "" {
			continue
		}
		answer, err := s.ask(ctx, q)
		if err != nil {
			return err
		}
		if answer != "" {
			values[q.Name] = answer
			s.keys = append(s.keys, q.Name)
		}
	}
	table := s.service.Name
	if s.profile != "" {
		table = "profile." + tomlfile.Key(s.profile) + "." + s.service.Name
	}
	var text strings.Builder
	if s.old != "" {
		text.WriteString(strings.TrimRight(s.old, "\n") + "\n\n")
	}
	fmt.Fprintf(&text, "[%s]\n", table)
	for _, key := range s.keys {
		fmt.Fprintf(&text, "%s = %s\n", key, tomlfile.String(values[key]))
	}
	s.text = text.String()
	f, err := config.Parse(s.file.Path, s.text)
	if err == nil {
		err = settings.Check(s.root, f)
	}
	if err != nil {
		return cmdline.Usagef("%v; nothing was written", err)
	}
	return nil
}

// read reads the file, which must not have settings of the service in this table yet.
func (s *setup) read(ctx context.Context) (err error) {
	if s.file, err = settings.Read(ctx, s.Program); err != nil {
		return err
	}
	for _, old := range s.file.Settings {
		if old.Profile == s.profile && old.Service == s.service.Name {
			e := cmdline.Usagef("%s:%d: there are settings of %s already", s.file.Path, old.Line, s.service.Name)
			e.Advice = "change them with 'hark config edit'"
			return e
		}
	}
	text, err := os.ReadFile(s.file.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.old = string(text)
	return nil
}

// given parses the values of --set.
func (s *setup) given(pairs []string) (map[string]string, error) {
	values := make(map[string]string)
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, cmdline.Usagef("--set%s: expected KEY=VALUE", cmdline.Mention(key))
		}
		o, names := s.setting(key)
		if o == nil {
			e := cmdline.Usagef("--set%s: %s has no such setting", cmdline.Mention(key), s.service.Name)
			e.Suggestion = cmdline.Nearest(key, names)
			return nil, e
		}
		if _, twice := values[key]; twice {
			return nil, cmdline.FlagErrorf("--set", " %s was given twice", key)
		}
		s.withhold(o, value)
		if o.Secret && !credential.IsReference(value) && s.warns {
			s.WarnSecret("--set "+key, "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME")
		}
		values[key] = value
		s.keys = append(s.keys, key)
	}
	return values, nil
}

// withhold registers the credentials in the value of a setting with the printer.
func (s *setup) withhold(o *cmdline.Flag, value string) {
	if o != nil && o.Secret && !credential.IsReference(value) {
		s.Say.Add(value)
	}
	s.Say.Add(credential.AddressParts(value)...)
}

// setting returns a flag of the service by its name; names are the valid names.
func (s *setup) setting(key string) (found *cmdline.Flag, names []string) {
	s.root.Walk(func(n *cmdline.Command) {
		for _, o := range n.Flags {
			if o.Variable() != cmdline.VariableName(s.service.Name, o.Name) {
				continue
			}
			names = append(names, o.Name)
			if o.Name == key {
				found = o
			}
		}
	})
	return found, names
}

// ask reads the answer to a question from stdin.
func (s *setup) ask(ctx context.Context, q stream.Question) (string, error) {
	answer, err := s.answer(ctx, q)
	if err != nil {
		return "", err
	}
	o, _ := s.setting(q.Name)
	s.withhold(o, answer)
	if answer = cmp.Or(answer, q.Default); answer == "" && q.Needed {
		e := cmdline.Usagef("required setting of %s not given: %s; nothing was written", s.service.Name, q.Name)
		e.Advice = "answer the question, or give --set " + q.Name + "=VALUE"
		return "", e
	}
	return answer, nil
}

func (s *setup) answer(ctx context.Context, q stream.Question) (string, error) {
	prompt := q.Ask
	if q.Default != "" {
		prompt += " [" + q.Default + "]"
	}
	if o, _ := s.setting(q.Name); o != nil && o.Secret {
		return s.PromptUnseen(ctx, prompt+" (not shown): ")
	}
	return s.Prompt(ctx, prompt+": ")
}

// check tries the new file with doctor.
func (s *setup) check(ctx context.Context) error {
	if what := s.service.Tried; what != "" && s.try == "" {
		name, err := s.Prompt(ctx, what+" to try it with (empty for none; it is not written): ")
		if err != nil {
			return err
		}
		if s.try = name; name == "" {
			s.Say.Note("not tried: there is no %s to try it with", what)
			return nil
		}
	}
	err := s.doctor(ctx)
	if _, stopped := errors.AsType[*process.SignalError](err); err == nil || stopped {
		return err
	}
	if s.Person() {
		s.Report(err)
		answer, askErr := s.Prompt(ctx, "write the settings anyway? [y/N]: ")
		if askErr == nil && strings.HasPrefix(strings.ToLower(answer), "y") {
			return nil
		}
		err = &ending.CommandExit{Code: ending.Of(err).Code}
	}
	s.Say.Note("nothing was written; --no-check writes settings without trying them")
	return err
}

// doctor runs hark doctor for the service with the new file. Its output goes to stderr.
// Variables that would override the settings are ignored.
func (s *setup) doctor(ctx context.Context) error {
	f, err := config.Parse(s.file.Path, s.text)
	if err != nil {
		return err
	}
	hidden := s.hides()
	env := s.Env
	env.Stdin, env.Stdout = strings.NewReader(""), s.Stderr
	env.LookupEnv = func(name string) (string, bool) {
		if slices.Contains(hidden, name) {
			return "", false
		}
		return s.LookupEnv(name)
	}
	q := &program.Program{Env: env, Say: s.Say, App: s.App, Kill: s.Kill, Rescues: s.Rescues}
	var args []string
	if s.try != "" {
		args = []string{"--", s.try}
	}
	return doctor.Try(ctx, q, s.service, f, s.profile, args)
}

// hides returns the variables that would override the written settings: those of the
// settings and, if one of them is a credential, those of all credentials of the
// service, which may not be used together.
func (s *setup) hides() []string {
	var names []string
	secret := false
	for _, key := range s.keys {
		o, _ := s.setting(key)
		names = append(names, o.Variable())
		secret = secret || o.Secret
	}
	if secret {
		s.root.Walk(func(n *cmdline.Command) {
			for _, o := range n.Flags {
				if o.Secret && o.Variable() == cmdline.VariableName(s.service.Name, o.Name) {
					names = append(names, o.Variable())
				}
			}
		})
	}
	return names
}

// write replaces the file atomically.
func (s *setup) write() error {
	path := s.file.Path
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*.toml")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(s.text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	s.Say.Note("written to %s", s.file.Path)
	for _, key := range s.keys {
		name := cmdline.VariableName(s.service.Name, key)
		if v, ok := s.LookupEnv(name); ok && v != "" {
			s.Say.Warning("%s is set, and takes precedence over the file", name)
		}
	}
	return nil
}
