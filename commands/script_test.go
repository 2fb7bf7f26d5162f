//go:build unix

package commands

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hark-cli/hark/internal/natstest"
)

// Scripts test hark like users run it: the test binary runs as the command "hark", in a
// separate process, and scripts check its output, exit code and files. "go doc
// testscript" explains their language. Additional commands are:
//
//	exits CODE CMD…         CMD ends with exactly that exit code, 128+n for signal n;
//	                        stdout and stderr are there for what follows
//	on-terminal CODE CMD…   exits, with a terminal as stdout
//	start NAME CMD…         CMD runs on, its output goes to NAME.out and NAME.err
//	signal NAME INT|TERM|HUP|QUIT|USR1
//	                        to a command that was started
//	ended NAME CODE         waits for it, as exits does
//	wait-for FILE REGEXP    until a line of FILE matches
//	json [-count=N] FILE…   each line is one JSON value; N lines
//	browse URL              opens URL as a browser does, prints what it leads to
//	no-secret [-value=X] FILE…
//	                        neither $SECRET nor X is there, in no encoding
//	without-race            $HARK is a hark that the race detector does not slow down
//
// the conditions [have:COMMAND], [nats], [node:PACKAGE], [python:PACKAGE] and [java:FOLDER], which add
// missing programs to the list of skipped tests, and [race], and the program "script-memory MIB
// CMD…", which exits like CMD, or with 1 if that needs more memory, except for a hark
// with -race. $EMULATOR is the address of the emulators; $FREE_PORT, $FREE_PORT2 and $FREE_PORT3
// are free ports for servers.
//
// FILE may be stdout or stderr. Run "go test ./commands -run Script/NAME -update" to
// rewrite what cmp compares with.

// scriptPatience is how long a test waits for something that must happen, so that it
// can report what has not. It does not measure speed: only a broken program makes a
// test wait that long.
const scriptPatience = 5 * time.Minute

// scriptSecret is a credential that looks different in every encoding.
const scriptSecret = "s3cret/+=&hunter2?~"

func TestMain(m *testing.M) {
	// Scripts wait for events most of the time, so many can run at once.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(suite{m}, map[string]func(){
		"hark":          func() { os.Exit(scriptHark(os.Args[1:])) },
		"hark-crash":    func() { os.Exit(crashHark(os.Args[1:])) },
		"browse":        func() { os.Exit(browse(os.Args[1])) },
		"webhook":       func() { os.Exit(webhook(os.Args[1:])) },
		"jetstream":     func() { os.Exit(runJetstream(os.Args[1:])) },
		"ci-job":        func() { os.Exit(runCI(os.Args[1])) },
		"script-memory": func() { os.Exit(boundMemory(os.Args[1:])) },
		"tls-server":    func() { os.Exit(serveTLS()) },
	})
}

// A suite is the tests, without the programs that the test binary is, too.
type suite struct{ *testing.M }

func (s suite) Run() int {
	heedSignals()
	return s.M.Run()
}

// heedSignals lets started programs get signals that this process ignores, as under
// nohup: ignored signals are inherited, caught ones are not.
func heedSignals() {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// TestScript runs all scripts below testdata/script.
func TestScript(t *testing.T) {
	t.Parallel()
	var folders []string
	err := filepath.WalkDir("testdata/script", func(path string, d fs.DirEntry, err error) error {
		if folder := filepath.Dir(path); filepath.Ext(path) == ".txtar" && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) == 0 {
		t.Fatal("there are no scripts in testdata/script")
	}
	for _, folder := range folders {
		testscript.Run(t, scriptParams(folder))
	}
}

var update = flag.Bool("update", false, "rewrite the expected output of scripts")

func scriptParams(folder string) testscript.Params {
	return testscript.Params{
		Dir:                 folder,
		Setup:               setupScript,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           scriptCondition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       scriptExits,
			"on-terminal": scriptOnTerminal,
			"start":       scriptStart,
			"signal":      scriptSignal,
			"ended":       scriptEnded,
			"wait-for":    scriptWaitFor,
			"json":        scriptJSON,
			"no-secret":   scriptNoSecret,

			"without-race": scriptWithoutRace,
		},
	}
}

// scriptCondition knows [have:COMMAND]: it is in PATH; [node:PACKAGE] and
// [python:PACKAGE]: the language is installed, and "make test" has installed the
// package; [nats]: "make deps" has built $NATS_SERVER; and [race].
func scriptCondition(cond string) (bool, error) {
	kind, name, _ := strings.Cut(cond, ":")
	switch kind {
	case "race":
		return raceEnabled(), nil
	case "have":
		_, err := exec.LookPath(name)
		return found(err == nil, name+" is missing"), nil
	case "nats":
		return found(natstest.Program() != "", "nats-server is missing"), nil
	case "node":
		return installed("node", "node_modules", name, name), nil
	case "python":
		return installed("python3", "python", name+"-*.dist-info", name), nil
	case "java":
		return installed("java", name, "*.jar", name), nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

// installed reports whether "make deps" has installed a package of a language, into a
// folder that matches pattern.
func installed(language, folder, pattern, name string) bool {
	_, err := exec.LookPath(language)
	matches, globErr := filepath.Glob(filepath.Join("..", ".deps", folder, pattern))
	return found(err == nil && globErr == nil && len(matches) > 0, name+" for "+strings.TrimSuffix(language, "3")+" is missing")
}

// found returns ok. If it is false, a part of a script is skipped, which "make test"
// lists.
func found(ok bool, missing string) bool {
	if !ok {
		fmt.Println("skipped: " + missing)
	}
	return ok
}

// setupScript makes the environment independent of the machine: that of testscript,
// with a home inside the work folder.
func setupScript(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	deps, err := filepath.Abs("../.deps")
	if err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("TERM", "dumb")
	env.Setenv("TZ", "UTC")
	env.Setenv("SECRET", scriptSecret)
	env.Setenv("NATS_SERVER", natstest.Program())
	examples, err := filepath.Abs("../examples")
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLES", examples)
	env.Setenv("NODE_PATH", filepath.Join(deps, "node_modules"))
	env.Setenv("KAFKA", filepath.Join(deps, "kafka"))
	env.Setenv("PYTHONPATH", filepath.Join(deps, "python"))
	env.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	if env.Getenv("GORACE") == "" {
		env.Setenv("GORACE", "atexit_sleep_ms=10") // a second per command otherwise
	}
	started := make(map[string]*startedCommand)
	env.Values[startedKey{}] = started
	env.Defer(func() {
		for _, s := range started {
			s.cmd.Process.Kill()
			<-s.done
		}
	})
	return setupEmulators(env)
}

type startedKey struct{}

// A startedCommand is a background command of a script.
type startedCommand struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait, once done
}

func startedOf(ts *testscript.TestScript) map[string]*startedCommand {
	return ts.Value(startedKey{}).(map[string]*startedCommand)
}

func find(ts *testscript.TestScript, name string) *startedCommand {
	s := startedOf(ts)[name]
	if s == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return s
}

// scriptUse fails the script unless the number of arguments matches usage.
func scriptUse(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg {
		ts.Fatalf("unsupported: ! %s", usage)
	}
	if len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	scriptUse(ts, neg, args, 2, "exits CODE CMD…")
	checkExit(ts, args[1], args[0], ts.Exec(args[1], args[2:]...))
}

func checkExit(ts *testscript.TestScript, name, code string, err error) {
	want, bad := strconv.Atoi(code)
	ts.Check(bad)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			got = 128 + int(status.Signal())
		}
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", name, got, want)
	}
}

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	scriptUse(ts, neg, args, 2, "start NAME CMD…")
	name := args[0]
	if startedOf(ts)[name] != nil {
		ts.Fatalf("%s is started already", name)
	}
	cmd := scriptCommand(ts, args[1:])
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ts.Check(cmd.Start())
	s := &startedCommand{cmd: cmd, done: make(chan struct{})}
	startedOf(ts)[name] = s
	go func() {
		s.err = cmd.Wait()
		close(s.done)
	}()
}

// scriptCommand is a command of a script that testscript does not run itself.
func scriptCommand(ts *testscript.TestScript, args []string) *exec.Cmd {
	// The script's environment is not available otherwise.
	file := ts.MkAbs(".environ")
	ts.Check(ts.Exec("sh", "-c", `env -0 >"$0"`, file))
	environ := strings.Split(strings.TrimSuffix(ts.ReadFile(file), "\x00"), "\x00")

	path := args[0]
	if !strings.ContainsRune(path, filepath.Separator) {
		path = lookPath(ts, path)
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ
	return cmd
}

func lookPath(ts *testscript.TestScript, name string) string {
	for _, folder := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

// scriptSignal sends a signal. Two pending signals may be delivered in any order, so a
// script waits for the effect of the first one.
func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	scriptUse(ts, neg, args, 2, "signal NAME INT|TERM|HUP|QUIT|USR1")
	sig, ok := map[string]syscall.Signal{
		"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1,
	}[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	// If it has exited meanwhile, "ended" checks how.
	if err := find(ts, args[0]).cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		ts.Check(err)
	}
}

func scriptEnded(ts *testscript.TestScript, neg bool, args []string) {
	scriptUse(ts, neg, args, 2, "ended NAME CODE")
	s := find(ts, args[0])
	select {
	case <-s.done:
	case <-time.After(scriptPatience):
		ts.Fatalf("%s has not ended", args[0])
	}
	fmt.Fprint(ts.Stdout(), ts.ReadFile(args[0]+".out"))
	fmt.Fprint(ts.Stderr(), ts.ReadFile(args[0]+".err"))
	checkExit(ts, args[0], args[1], s.err)
}

// boundMemory runs a command and fails if it has used more than a number of MiB. It is
// a separate process because the system counts the memory that a process has used
// before exec.
func boundMemory(args []string) int {
	limit, err := strconv.Atoi(args[0])
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err == nil {
		err = cmd.Run()
	}
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" { // bytes there, KiB elsewhere
		peak >>= 10
	}
	if int(peak)>>10 > limit && (args[1] != "hark" || !raceEnabled()) {
		fmt.Fprintf(os.Stderr, "%s held %d MiB, more than %d\n", args[1], peak>>10, limit)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// raceEnabled reports whether this is a build with -race, which takes several times
// the memory.
func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	scriptUse(ts, neg, args, 2, "wait-for FILE REGEXP")
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var text []byte
	writer := startedOf(ts)[strings.TrimSuffix(strings.TrimSuffix(args[0], ".out"), ".err")]
	over := false // nothing more is written to the file
	for deadline := time.Now().Add(scriptPatience); !over && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if writer != nil {
			select {
			case <-writer.done:
				over = true
			default:
			}
		}
		if text, err = os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
		if !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
	}
	ts.Fatalf("nothing like %q has come to %s:\n%s", args[1], args[0], text)
}

func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	count := -1
	if len(args) > 0 && strings.HasPrefix(args[0], "-count=") {
		n, err := strconv.Atoi(strings.TrimPrefix(args[0], "-count="))
		ts.Check(err)
		count, args = n, args[1:]
	}
	scriptUse(ts, neg, args, 1, "json [-count=N] FILE…")
	for _, file := range args {
		text := ts.ReadFile(file)
		lines := 0
		for line := range strings.Lines(text) {
			lines++
			if !json.Valid([]byte(line)) {
				ts.Fatalf("%s: line %d is not one JSON value: %s", file, lines, line)
			}
			if !strings.HasSuffix(line, "\n") {
				ts.Fatalf("%s: line %d has no end", file, lines)
			}
		}
		if lines == 0 && count != 0 {
			ts.Fatalf("%s is empty", file)
		}
		if count >= 0 && lines != count {
			ts.Fatalf("%s has %d lines, want %d", file, lines, count)
		}
	}
}

func scriptNoSecret(ts *testscript.TestScript, neg bool, args []string) {
	secrets := []string{ts.Getenv("SECRET")}
	for len(args) > 0 && strings.HasPrefix(args[0], "-value=") {
		secrets = append(secrets, strings.TrimPrefix(args[0], "-value="))
		args = args[1:]
	}
	scriptUse(ts, neg, args, 1, "no-secret [-value=X] FILE…")
	if slices.Contains(secrets, "") {
		ts.Fatalf("the secret is empty")
	}
	for _, file := range args {
		text := ts.ReadFile(file)
		for _, secret := range secrets {
			for _, form := range disguises(secret) {
				if before, _, ok := strings.Cut(text, form); ok {
					line := strings.Count(before, "\n") + 1
					ts.Fatalf("%s: line %d shows the secret, as %q", file, line, form)
				}
			}
		}
	}
}

// disguises returns the encodings of a secret in URLs, JSON, Go strings, and in the
// base64 of a longer text that ends with it, such as Basic credentials.
func disguises(secret string) []string {
	inJSON, _ := json.Marshal(secret)
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
		strings.Trim(string(inJSON), `"`), fmt.Sprintf("%x", secret),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString([]byte("..."[:before] + secret))
			// The letters at both ends also depend on the adjacent text.
			forms = append(forms, text[(before*8+5)/6:len(text)-1])
		}
	}
	return forms
}
