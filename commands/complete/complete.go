// Package complete provides names of the resources of a service, for completion.
package complete

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/settings"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/credential"
)

// Completion of names of profiles, and of resources of a service. A service is queried
// with the settings of the line being typed, the environment and the configuration, for
// at most nameLimit, and the result is cached for nameLife. Errors are ignored, because
// completion must not print anything else.
//
// Credentials of cmd: and keyring: are not looked up, because they could ask for a
// password.

const (
	nameLimit = 2 * time.Second
	nameLife  = 5 * time.Minute
	// failureLife is how long a service is not queried after a failure.
	failureLife = 30 * time.Second
	// maxNames is the maximum number of cached names.
	maxNames = 10000
)

// Asked returns what a command prints, from the cache if it is recent. The command gets
// the flags of line that it has.
func Asked(ctx context.Context, p *program.Program, line *cmdline.Line, command ...string) []string {
	if line == nil {
		return nil
	}
	asked := line.Command.Root().Child(command[0])
	if asked == nil || asked.Child(command[1]) == nil {
		return nil
	}
	asked = asked.Child(command[1])
	argv := slices.Clone(command)
	for _, s := range line.Settings {
		if o, _ := asked.Lookup(s.Flag.Name); o != nil && o.Variable() == s.Flag.Variable() && !slices.Contains(command, o.String()) && o.Group != program.CatOutput {
			argv = append(argv, o.String()+"="+s.Value)
		}
	}
	path := namesPath(ctx, p, asked, line, command[0])
	if names, ok := readNames(path); ok {
		return names
	}
	ctx, cancel := context.WithTimeout(ctx, nameLimit)
	defer cancel()
	names, ok := ask(ctx, p, argv)
	if !ok {
		names = nil
	}
	writeNames(path, names, ok)
	return names
}

// ask runs a command in this process and returns the lines that it prints.
func ask(ctx context.Context, p *program.Program, argv []string) (names []string, ok bool) {
	var out bytes.Buffer
	env := p.Env
	env.Stdin, env.Stdout, env.Stderr = strings.NewReader(""), &out, io.Discard
	env.StdoutTerminal, env.StderrTerminal = false, false
	q := &program.Program{Env: env, Say: console.NewPrinter(io.Discard), App: p.App}
	q.Reference = func(flag, ref string) (program.Getter, bool, error) {
		if credential.MayAsk(ref) {
			return nil, false, cmdline.FlagErrorf(flag, ": not looked up, it could ask for a password")
		}
		return q.OpenReference(flag, ref)
	}
	done := make(chan error, 1)
	go func() {
		done <- q.App(q).Run(q.Within(ctx), argv)
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, false
		}
	case <-ctx.Done(): // also if the command does not observe it
		return nil, false
	}
	for name := range strings.Lines(out.String()) {
		if name = strings.TrimSuffix(name, "\n"); program.PlainName().MatchString(name) && len(names) < maxNames {
			names = append(names, name)
		}
	}
	return names, true
}

// namesPath returns the cache file for a service and account, "" if there is no cache
// folder. It does not depend on credentials.
func namesPath(ctx context.Context, p *program.Program, asked *cmdline.Command, line *cmdline.Line, service string) string {
	folder := ""
	for _, base := range []struct{ variable, folder string }{
		{"XDG_CACHE_HOME", ""}, {"LocalAppData", ""}, {"HOME", ".cache"},
	} {
		if dir, ok := p.LookupEnv(base.variable); ok && filepath.IsAbs(dir) {
			folder = filepath.Join(dir, base.folder, "hark")
			break
		}
	}
	if folder == "" {
		return ""
	}
	l := &cmdline.Line{Command: asked}
	for _, s := range line.Settings {
		if s.At.Parent() == nil { // --profile
			l.Settings = append(l.Settings, s)
		}
	}
	l.AddEnvironment(p.LookupEnv)
	if err := settings.Add(ctx, p, l); err != nil {
		return ""
	}
	sum := sha256.New()
	names := []string{"profile"}
	for _, f := range asked.Flags {
		if f.Group == program.CatService && !f.Secret {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		io.WriteString(sum, name+"="+cmp.Or(line.Value(name), l.Value(name))+"\n")
	}
	return filepath.Join(folder, "names-"+service+"-"+hex.EncodeToString(sum.Sum(nil)[:8])+".json")
}

// A nameFile is a file of the cache.
type nameFile struct {
	Asked time.Time `json:"asked"`
	OK    bool      `json:"ok"`
	Names []string  `json:"names"`
}

func readNames(path string) ([]string, bool) {
	var f nameFile
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &f) != nil {
		return nil, false
	}
	life := failureLife
	if f.OK {
		life = nameLife
	}
	age := time.Since(f.Asked)
	return f.Names, age >= 0 && age < life
}

// writeNames replaces the file, which only its owner may read, atomically, because
// other shells may read it.
func writeNames(path string, names []string, ok bool) {
	if path == "" {
		return
	}
	text, err := json.Marshal(nameFile{Asked: time.Now(), OK: ok, Names: names})
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".names-*")
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if f.Close() != nil || err != nil || os.Rename(f.Name(), path) != nil {
		os.Remove(f.Name())
	}
}
