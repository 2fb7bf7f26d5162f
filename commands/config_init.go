package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/config"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/tomlfile"
	"golang.org/x/term"
)

// configInit is "config init": it collects the settings of a service, lets doctor
// try them, and adds them to the file.
func (p *program) configInit(all serviceList) *cmdline.Command {
	names := all.configurable().names()
	var try string
	var set []string
	var unchecked bool
	return &cmdline.Command{
		Name: "init", Usage: "ask for the settings of a service, try them, and write them",
		Examples: `hark config init drogue --set user=alice --set access-token=env:DROGUE_ACCESS_TOKEN --no-check
hark config init octave
hark config init drogue --try example-app
hark config init octave --profile staging --set endpoint=https://octave.example.com`,
		Complete: wordsOf(names),
		Args:     "SERVICE\nSERVICE\t" + oneOf(names),
		Description: "Asks for what the service needs and --set has not given; an empty answer takes what stands in " +
			"brackets. When stdin is no terminal, its lines are the answers. Then 'hark doctor' tries the settings, " +
			"together with what the file says already. When it fails nothing is written, unless you say so on a terminal.\n\n" +
			"What is written can be read by its owner only. With --profile it goes into that profile. Settings that " +
			"are there already are never changed: 'hark config edit' does that.",
		Flags: []*cmdline.Flag{
			{Name: "set", Value: cmdline.Strings(&set), Usage: "write this setting and do not ask for it: `KEY=VALUE`; KEY is the long name of a flag"},
			{Name: "try", Value: cmdline.String(&try), Usage: "try it with the application or stream `NAME`, which is not written"},
			{Name: "no-check", Value: cmdline.Bool(&unchecked), Usage: "write the settings without trying them"},
		},
		Run: func(ctx context.Context, line *cmdline.Line) error {
			s := &setup{program: p, root: line.Command.Root(), profile: line.Value("profile"), try: try}
			sv := all.configurable().find(line.Arg(0))
			if sv == nil {
				return unknownService(line.Arg(0), names)
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
	*program
	root    *cmdline.Command
	service service
	profile string
	try     string
	warns   bool // about credentials on the command line

	file *config.File // as it was
	old  string       // its text
	text string       // its text with the settings
	keys []string     // the settings that are written
}

// A question is what init asks for one setting.
type question struct {
	name, ask, deflt string
	needed           bool
	// with is a setting without which there is no point in asking.
	with string
}

const orBetter = ", or better where to find it: env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/NAME"

// collect makes the new text of the file.
func (s *setup) collect(ctx context.Context, given []string) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	values, err := s.given(given)
	if err != nil {
		return err
	}
	for _, q := range s.service.settings {
		if _, ok := values[q.name]; ok || q.with != "" && values[q.with] == "" {
			continue
		}
		answer, err := s.ask(ctx, q)
		if err != nil {
			return err
		}
		if answer != "" {
			values[q.name] = answer
			s.keys = append(s.keys, q.name)
		}
	}
	table := s.service.name
	if s.profile != "" {
		table = "profile." + tomlfile.Key(s.profile) + "." + s.service.name
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
		err = checkConfig(s.root, f)
	}
	if err != nil {
		return cmdline.Usagef("%v; nothing was written", err)
	}
	return nil
}

// read takes the file as it is, without settings of the service in this place.
func (s *setup) read(ctx context.Context) (err error) {
	if s.file, err = s.readConfig(ctx); err != nil {
		return err
	}
	for _, old := range s.file.Settings {
		if old.Profile == s.profile && old.Service == s.service.name {
			e := cmdline.Usagef("%s:%d: there are settings of %s already", s.file.Path, old.Line, s.service.name)
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

// given takes what --set says.
func (s *setup) given(pairs []string) (map[string]string, error) {
	values := make(map[string]string)
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, cmdline.Usagef("--set%s: expected KEY=VALUE", cmdline.Mention(key))
		}
		o, names := s.setting(key)
		if o == nil {
			e := cmdline.Usagef("--set%s: %s has no such setting", cmdline.Mention(key), s.service.name)
			e.Suggestion = cmdline.Nearest(key, names)
			return nil, e
		}
		if _, twice := values[key]; twice {
			return nil, cmdline.FlagErrorf("--set", " %s was given twice", key)
		}
		s.withhold(o, value)
		if o.Secret && !credential.IsReference(value) && s.warns {
			s.warnSecret("--set "+key, "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME")
		}
		values[key] = value
		s.keys = append(s.keys, key)
	}
	return values, nil
}

// withhold makes the credentials in the value of a setting known to the printer.
func (s *setup) withhold(o *cmdline.Flag, value string) {
	if o != nil && o.Secret && !credential.IsReference(value) {
		s.say.Add(value)
	}
	s.say.Add(credential.AddressParts(value)...)
}

// setting finds a flag of the service by its name; names are those that there are.
func (s *setup) setting(key string) (found *cmdline.Flag, names []string) {
	s.root.Walk(func(n *cmdline.Command) {
		for _, o := range n.Flags {
			if o.Variable() != cmdline.VariableName(s.service.name, o.Name) {
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
func (s *setup) ask(ctx context.Context, q question) (string, error) {
	answer, err := s.answer(ctx, q)
	if err != nil {
		return "", err
	}
	o, _ := s.setting(q.name)
	s.withhold(o, answer)
	if answer = cmp.Or(answer, q.deflt); answer == "" && q.needed {
		e := cmdline.Usagef("%s needs %s; nothing was written", s.service.name, q.name)
		e.Advice = "answer the question, or give --set " + q.name + "=VALUE"
		return "", e
	}
	return answer, nil
}

func (s *setup) answer(ctx context.Context, q question) (string, error) {
	prompt := q.ask
	if q.deflt != "" {
		prompt += " [" + q.deflt + "]"
	}
	if o, _ := s.setting(q.name); o != nil && o.Secret {
		return s.promptUnseen(ctx, prompt+" (not shown): ")
	}
	return s.prompt(ctx, prompt+": ")
}

// promptUnseen is prompt for what nobody may see on the screen.
func (p *program) promptUnseen(ctx context.Context, prompt string) (string, error) {
	if !p.person() {
		return p.prompt(ctx, prompt)
	}
	terminal := int(p.Stdin.(*os.File).Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("the terminal: %w", err)
	}
	defer term.Restore(terminal, before)
	// Not with term.ReadPassword, which would show what is typed before it is called, and
	// hide what is typed for good when it is called late, after an interruption.
	if err := lineedit.HideInput(terminal); err != nil {
		return "", fmt.Errorf("the terminal: %w", err)
	}
	defer fmt.Fprintln(p.Stderr)
	fmt.Fprint(p.Stderr, prompt)
	return answered(ctx, func() (string, error) { return readLine(p.Stdin) })
}

// prompt reads a line from stdin, after a prompt if a person is there; "" at the
// end of stdin.
func (p *program) prompt(ctx context.Context, prompt string) (string, error) {
	if p.person() {
		fmt.Fprint(p.Stderr, prompt)
	}
	return answered(ctx, func() (string, error) { return readLine(p.Stdin) })
}

// answered waits for read, without the white space around it, or for the end of ctx.
func answered(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1) // a read of stdin cannot be interrupted
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return strings.TrimSpace(r.line), r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// person tells whether stdin is a terminal.
func (p *program) person() bool {
	f, ok := p.Stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readLine reads a line and not a byte more, which may be for somebody else.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF):
			return string(line), nil
		case n == 1 && len(line) < bounded.Secret:
			line = append(line, b[0])
		case err != nil:
			return "", fmt.Errorf("reading stdin: %w", err)
		}
	}
}

// check lets doctor try the file as it will be.
func (s *setup) check(ctx context.Context) error {
	if what := s.service.tried; what != "" && s.try == "" {
		name, err := s.prompt(ctx, what+" to try it with (empty for none; it is not written): ")
		if err != nil {
			return err
		}
		if s.try = name; name == "" {
			s.say.note("not tried: there is no %s to try it with", what)
			return nil
		}
	}
	trial, err := os.CreateTemp("", "hark-config")
	if err != nil {
		return err
	}
	defer os.Remove(trial.Name())
	defer s.rescues.add(func() { os.Remove(trial.Name()) })()
	_, err = trial.WriteString(s.text) // CreateTemp lets only the owner read it
	if err = errors.Join(err, trial.Close()); err != nil {
		return err
	}
	err = s.doctor(ctx, trial.Name())
	if _, stopped := errors.AsType[*signalError](err); err == nil || stopped {
		return err
	}
	if s.person() {
		s.report(err)
		answer, askErr := s.prompt(ctx, "write the settings anyway? [y/N]: ")
		if askErr == nil && strings.HasPrefix(strings.ToLower(answer), "y") {
			return nil
		}
		err = &commandExit{conclude(err).code}
	}
	s.say.note("nothing was written; --no-check writes settings without trying them")
	return err
}

// doctor runs "hark doctor SERVICE" with the configuration file at path. What it
// prints is for the person who answers. Variables that would hide the settings do
// not count.
func (s *setup) doctor(ctx context.Context, path string) error {
	hidden := s.hides()
	env := s.Env
	env.Stdin, env.Stdout = strings.NewReader(""), s.Stderr
	env.LookupEnv = func(name string) (string, bool) {
		if name == "HARK_CONFIG" {
			return path, true
		}
		if slices.Contains(hidden, name) {
			return "", false
		}
		return s.LookupEnv(name)
	}
	q := &program{Env: env, say: s.say, kill: s.kill, rescues: s.rescues}
	args := []string{"doctor", s.service.name}
	if s.profile != "" {
		args = append(args, "--profile", s.profile)
	}
	if s.try != "" {
		args = append(args, "--", s.try)
	}
	return q.app().Run(context.WithValue(ctx, programKey{}, q), args)
}

// hides lists the variables that would hide what is written: those of the settings,
// and when one of them is a credential, those of all credentials of the service,
// which may exclude each other.
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
				if o.Secret && o.Variable() == cmdline.VariableName(s.service.name, o.Name) {
					names = append(names, o.Variable())
				}
			}
		})
	}
	return names
}

// write puts the new text in the place of the old one, all or nothing.
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
	s.say.note("written to %s", s.file.Path)
	for _, key := range s.keys {
		name := cmdline.VariableName(s.service.name, key)
		if v, ok := s.LookupEnv(name); ok && v != "" {
			s.say.warning("%s is set, and wins over the file", name)
		}
	}
	return nil
}
