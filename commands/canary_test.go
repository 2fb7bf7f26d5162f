//go:build unix

package commands

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/recipes"
)

// A canaryCase describes how to run a command with a canary in each of its flags for
// credentials.
type canaryCase struct {
	args []string // behind the path of the command
	// none is why there is nothing to run; args are not needed then.
	none string
}

// canaryCases are the cases of commands that do not belong to a service; a new command
// must be added here. For the prompt see canary_tty_test.go, for crashes crash.txtar.
var canaryCases = map[string]canaryCase{
	"connect":        {args: []string{"URL", "--reconnect"}},
	"call":           {args: []string{"URL", "method", "-m", "1s"}},
	"doctor connect": {args: []string{"URL"}},
	"config show":    {},

	"recipe list":    {none: "it takes no credential"},
	"recipe show":    {none: "it takes no credential"},
	"recipe check":   {none: "it takes no credential"},
	"recipe test":    {none: "it takes no credential; those of a transcript are not the user's"},
	"cursor show":    {none: "it takes no credential; for those in a position see recipe-cursor.txtar"},
	"cursor reset":   {none: "it takes no credential"},
	"config check":   {},
	"config path":    {},
	"config explain": {args: []string{"drogue", "tail"}},

	"config edit": {none: "it starts an editor on the file, which holds what the user wants"},
	"config init": {none: "it asks a person; see canary-init.txtar and TestConfigInitHidesCredentials"},
	"serve":       {none: "it takes no credential; for those of its clients see canary-serve.txtar"},
	"emulate":     {none: "it takes no credential, and generates those of its own"},
	"completion":  {none: "it prints a fixed text"},
	"man":         {none: "it prints a fixed text"},
	"help":        {none: "it prints a fixed text"},
	"play":        {args: []string{"FOLDER/events.ndjson"}},
	"replay":      {none: "it takes no credential; what is on a recording is without"},
}

// canaryCasesOfServices returns the cases of the services, and all others. A line of
// commands/SERVICE/testdata/canary is a command, a colon and its arguments.
func canaryCasesOfServices(t *testing.T) map[string]canaryCase {
	cases := maps.Clone(canaryCases)
	for _, name := range recipes.Names() {
		cases["run "+name] = canaryCase{args: []string{"--emulator"}}
	}
	for _, sv := range services().Emulated() {
		text, err := os.ReadFile(filepath.Join(sv.Name, "testdata", "canary"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			path, args, _ := strings.Cut(strings.TrimSpace(line), ":")
			cases[path] = canaryCase{args: strings.Fields(args)}
		}
	}
	return cases
}

const canary = "s3cret/+=&canary2?~"

// A canaryWorld is the environment of the commands.
type canaryWorld struct {
	t       *testing.T
	folder  string
	environ map[string]string
	host    string // of the emulator
	ran     int    // runs that were no usage errors
}

// TestCanary drives a canary through every flag of every command that takes a
// credential, literally, from the environment and by reference, to a service that
// refuses it and to one that is unreachable, and searches all output for it.
func TestCanary(t *testing.T) {
	t.Parallel()
	e, err := services().Emulators().New(emulator.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		e.Close()
		server.Close()
	})
	environ, err := e.Environ(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cases := canaryCasesOfServices(t)
	var known []string
	Tree(io.Discard).Root().Walk(func(n *cmdline.Command) {
		if n.IsGroup() || n.Parent() == nil {
			return
		}
		path := strings.TrimPrefix(n.Path(), "hark ")
		known = append(known, path)
		c, ok := cases[path]
		if !ok {
			t.Errorf("hark %s is not in canaryCases, nor in testdata/canary of its service: add how it is run, or why it has no credentials to show", path)
			return
		}
		credentials := canaryOptions(n)
		if c.none != "" && len(credentials) > 0 {
			t.Errorf("hark %s takes credentials, for example %s, but canaryCases says: %s", path, credentials[0], c.none)
		}
		if c.none != "" {
			return
		}
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := &canaryWorld{t: t, host: server.Listener.Addr().String(), environ: make(map[string]string)}
			for _, v := range environ {
				name, value, _ := strings.Cut(v, "=")
				w.environ[name] = value
			}
			w.drive(n, strings.Fields(path), c, credentials)
		})
	})
	for path := range cases {
		if !slices.Contains(known, path) {
			t.Errorf("there is no command hark %s any more", path)
		}
	}
}

// canaryOptions returns the flags of a command for credentials.
func canaryOptions(n *cmdline.Command) (found []*cmdline.Flag) {
	for _, o := range n.Flags {
		if o.Secret || o.Name == "header" {
			found = append(found, o)
		}
	}
	return found
}

// drive runs a command with each of its flags.
func (w *canaryWorld) drive(n *cmdline.Command, path []string, c canaryCase, credentials []*cmdline.Flag) {
	for _, o := range credentials {
		var more []string
		if o.Name == "pass" {
			more = []string{"--cert", "FOLDER/encrypted.pem"}
		}
		if o.Name == "to-token" {
			more = []string{"--to", "nats://127.0.0.1:1/events", "--to-flush-time", "1ms"}
		} else if strings.HasPrefix(o.Name, "to-") {
			more = []string{"--to", "http://127.0.0.1:1/", "--to-flush-time", "1ms"}
		} else if o.Name == "to" {
			more = []string{"--to-flush-time", "1ms"}
		}
		for i, value := range canaryValues(o) {
			w.run(n, path, c, false, append([]string{"--" + o.Name, value}, more...), nil)
			if i == 0 {
				w.run(n, path, c, true, append([]string{"--" + o.Name, value}, more...), nil)
				w.run(n, path, c, false, more, map[string]string{o.Variable(): value})
			}
		}
	}
	if o, _ := n.Lookup("proxy"); o != nil {
		proxy := "http://alice:" + url.QueryEscape(canary) + "@127.0.0.1:1"
		w.run(n, path, c, true, nil, map[string]string{"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "all_proxy": proxy})
	}
	w.run(n, path, c, false, nil, nil) // with what is in the configuration file
	if w.ran == 0 || w.ran < len(credentials) {
		w.t.Errorf("only %d runs were more than usage errors", w.ran)
	}
}

// canaryValues are the forms in which a flag may get the canary.
func canaryValues(o *cmdline.Flag) (values []string) {
	escaped := url.QueryEscape(canary)
	switch {
	case o.Name == "header":
		return []string{"Authorization: Bearer " + canary, "X-Api-Key: " + canary, "Cookie: session=" + canary}
	case o.Name == "to":
		return []string{"http://alice:" + escaped + "@127.0.0.1:1/" + escaped, "https://127.0.0.1:1/?token=" + escaped, "nonsense://" + canary, "http://" + escaped, canary,
			"kafka://alice:" + escaped + "@127.0.0.1:1/t", "nats://alice:" + escaped + "@127.0.0.1:1/t", "nats://" + escaped + "@127.0.0.1:1/t"}
	case o.Name == "to-secret":
		key := base64.StdEncoding.EncodeToString([]byte(canary))
		return []string{"whsec_" + key, canary, "env:CANARY"}
	case o.Name == "to-token": // what a command that fails prints is shown, and "play" knows no credential yet
		return []string{canary, "env:CANARY", "file:FOLDER/canary", "cmd:printf %s \"$CANARY\"; printf %s \"$CANARY\" >&2"}
	case o.Name == "proxy", o.Name == "to-proxy":
		return []string{"http://alice:" + escaped + "@127.0.0.1:1", "socks5h://alice:" + escaped + "@127.0.0.1:1",
			"nonsense://alice:" + escaped + "@host", "http://" + escaped + "@127.0.0.1:1"}
	case o.Pair:
		return []string{"alice:" + canary, "alice:env:CANARY", "env:CANARY_PAIR", canary}
	}
	return []string{canary, "env:CANARY", "file:FOLDER/canary", "cmd:printf %s \"$CANARY\"; printf %s \"$CANARY\" >&2", "cmd:echo \"$CANARY\" >&2; exit 1"}
}

// run runs a command once and checks its output.
func (w *canaryWorld) run(n *cmdline.Command, path []string, c canaryCase, dead bool, extra []string, environ map[string]string) {
	w.t.Helper()
	w.prepare()
	all := maps.Clone(w.environ)
	maps.Copy(all, map[string]string{
		"CANARY": canary, "CANARY_PAIR": "alice:" + canary, "HOME": w.folder, "PATH": os.Getenv("PATH"),
		"HARK_CONFIG": filepath.Join(w.folder, "config.toml"), "HARK_DROGUE_TOKEN_STORE": "file",
	})
	maps.Copy(all, environ)
	for name := range all {
		if dead && (strings.HasSuffix(name, "_ENDPOINT") || strings.HasSuffix(name, "_API") || strings.HasSuffix(name, "_HTTP")) {
			scheme, _, _ := strings.Cut(all[name], "://")
			all[name] = scheme + "://127.0.0.1:1/nothing"
		}
	}
	args := slices.Concat(path, w.args(c.args, dead), extra)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "FOLDER", w.folder)
	}
	for _, more := range [][]string{
		{"verbose"}, {"include"}, {"status", "json"}, {"status-file", w.folder + "/status"}, {"record", w.folder + "/tape"},
		{"report", "json=" + w.folder + "/report"}, {"max-time", "300ms"}, {"retries", "0"}, {"connect-timeout", "1s"}, {"wait", "300ms"}, {"auth-in-query"},
	} {
		if o, _ := n.Lookup(more[0]); o != nil && o.TakesValue() == (len(more) == 2) {
			args = append(args, "--"+strings.Join(more, "="))
		}
	}
	var stdout, stderr bytes.Buffer
	signals := make(chan os.Signal, 2)
	stuck := time.AfterFunc(scriptPatience, func() { signals <- os.Interrupt; signals <- os.Interrupt })
	defer stuck.Stop()
	code := Main(args, program.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Signals: signals,
		LookupEnv: func(name string) (string, bool) { v, ok := all[name]; return v, ok },
		Environ: func() (list []string) {
			for name, value := range all {
				list = append(list, name+"="+value)
			}
			return list
		},
		Screen: func() (int, int) { return 0, 0 },
		Hangup: func(ctx context.Context, gone func()) { <-ctx.Done() },
	})
	if code != 2 {
		w.ran++
	}
	w.look(args, "stdout", stdout.Bytes())
	w.look(args, "stderr", stderr.Bytes())
	err := filepath.WalkDir(w.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains([]string{"canary", "config.toml"}, d.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		w.look(args, d.Name(), text)
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// prepare creates a folder with the files that contain a canary.
func (w *canaryWorld) prepare() {
	w.folder = w.t.TempDir()
	var config strings.Builder
	config.WriteString("header = ['X-Api-Key: " + canary + "']\nproxy-user = 'alice:" + canary + "'\n")
	for _, sv := range services().Emulated() {
		table, err := os.ReadFile(filepath.Join(sv.Name, "testdata", "canary.toml"))
		if err != nil {
			w.t.Fatal(err)
		}
		config.WriteString(strings.ReplaceAll(string(table), "CANARY", canary))
	}
	for name, text := range map[string]string{
		"canary": canary + "\n", "events.ndjson": "{}\n", "config.toml": config.String(), "encrypted.pem": canaryKey,
	} {
		if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// args fills in the address of a server.
func (w *canaryWorld) args(args []string, dead bool) []string {
	address := "ws://" + w.host + "/drogue/demo-app"
	if dead {
		address = "ws://" + net.JoinHostPort("127.0.0.1", "1") + "/?token=" + url.QueryEscape(canary)
	}
	return strings.Fields(strings.ReplaceAll(strings.Join(args, " "), "URL", address))
}

func (w *canaryWorld) look(args []string, where string, text []byte) {
	w.t.Helper()
	for _, form := range disguises(canary) {
		if bytes.Contains(text, []byte(form)) {
			w.t.Errorf("hark %s: %s shows the canary as %q:\n%s", strings.Join(args, " "), where, form, text)
			return
		}
	}
}

// canaryKey is a key encrypted with a passphrase that no test knows.
const canaryKey = `-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,2B32A8C0D1C7BB0C26D24C1B6E3F9A01

AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-----END RSA PRIVATE KEY-----
`
