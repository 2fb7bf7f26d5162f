package cmdline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A seaRun is one run of a test program and what its Action got.
type seaRun struct {
	stdout, stderr bytes.Buffer
	err            error

	action  string // the command that ran
	args    []string
	before  []string
	after   []string
	dashed  bool
	as      string // GivenAs --count
	count   int
	wait    time.Duration
	expr    string
	raw     bool
	token   string
	headers []string
	limit   limit
	color   color
	verbose counter
	profile string
}

// A limit is a value with its own syntax.
type limit string

func (l *limit) String() string { return string(*l) }

func (l *limit) Set(s string) error {
	if !strings.HasSuffix(s, "m") {
		return errors.New("expected fathoms or metres, as in 20m")
	}
	*l = limit(s)
	return nil
}

// A color is a boolean flag that may have a value.
type color string

func (c *color) String() string     { return string(*c) }
func (c *color) Set(s string) error { *c = color(s); return nil }
func (c *color) IsBoolFlag() bool   { return true }

// An endpoint quotes an invalid value in its error, as url.Parse does.
type endpoint string

func (e *endpoint) String() string     { return string(*e) }
func (e *endpoint) Set(s string) error { return fmt.Errorf("parse %q: invalid port", s) }

// A counter counts how often it was given.
type counter int

func (c *counter) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if on {
		*c++
	}
	return err
}
func (c *counter) String() string   { return "" }
func (c *counter) IsBoolFlag() bool { return true }
func (c *counter) Expects() string  { return "true or false" }

// see is a Run that records its line.
func (r *seaRun) see(ctx context.Context, line *Line) error {
	r.action = line.Command.Path()
	r.args = line.Args()
	r.before, r.after, r.dashed = line.Split()
	r.as = line.GivenAs("count")
	if LineOf(ctx) != line {
		return errors.New("the context has another line")
	}
	return nil
}

// newSea returns the test program.
func newSea(r *seaRun, env map[string]string) *App {
	r.wait, r.token = time.Minute, "builtin-token"
	stream := func() []*Flag {
		return []*Flag{
			{Name: "count", Aliases: []string{"n"}, Value: Int(&r.count), Usage: "stop after `N` fish", Group: "Ending"},
			{Name: "max-time", Aliases: []string{"m"}, Value: Duration(&r.wait), Usage: "stop after `D`", Group: "Ending"},
			{Name: "jq", Value: String(&r.expr), Usage: "shape each fish with `EXPR`"},
			{Name: "raw", Aliases: []string{"r"}, Value: Bool(&r.raw), Usage: "print strings as they are"},
			{Name: "header", Aliases: []string{"H"}, Value: Strings(&r.headers), Usage: "send `HEADER`"},
			{Name: "color", Value: &r.color, Usage: "color `WHEN` always, never or auto"},
			{Name: "secret-door", Hidden: true, Value: String(new(string))},
		}
	}
	fish := append(stream(), Own("sea",
		&Flag{Name: "token", Secret: true, Value: String(&r.token), Usage: "credential for the sea", Group: "Sea"},
		&Flag{Name: "limit", Value: &r.limit, Usage: "not below `DEPTH`", Group: "Sea"},
		&Flag{Name: "pin", Secret: true, Value: Int(new(int)), Usage: "number of the gate", Group: "Sea"},
		&Flag{Name: "endpoint", Value: new(endpoint), Usage: "another sea at `URL`", Group: "Sea"},
	)...)
	root := &Command{
		Name:     "hark",
		Usage:    "listen to the sea",
		Examples: "# no boat needed\nhark sea fish --raw herring",
		Flags: []*Flag{
			{Name: "verbose", Aliases: []string{"v"}, Value: &r.verbose, Usage: "say more"},
			{Name: "profile", Value: String(&r.profile), Usage: "settings called `NAME`"},
		},
	}
	var coded bool
	root.Commands = func() []*Command {
		return []*Command{
			{Name: "sea", Group: "Services", Usage: "what lives in the sea", Examples: "hark sea sail", Commands: func() []*Command {
				return []*Command{
					{Name: "fish", Usage: "stream fish", Examples: "hark sea fish herring",
						Args:        "KIND[/SIZE]\nKIND\tname of the fish\nSIZE\tonly fish of that size; without it fish of every size that there is",
						Description: "Fish come as they are.\nNothing is cooked.\n\n  kept   as is",
						Flags:       fish, Run: r.see},
					{Name: "sail", Usage: "sail about", Examples: "hark sea sail", Run: r.see},
					{Name: "deep", Hidden: true, Run: r.see},
				}
			}},
			{Name: "connect", Usage: "stream any water", Group: "Services", Examples: "hark connect URL", TakesURL: true,
				Args: "URL [FILE…]", Flags: stream(), Run: r.see},
			{Name: "mock", Usage: "make waves", Examples: "hark mock sea", Args: "SEA… [-- COMMAND…]", Run: r.see},
			{Name: "fail", Usage: "fail", Examples: "hark fail", Flags: []*Flag{{Name: "exit-code", Usage: "carry one", Value: Bool(&coded)}},
				Run: func(context.Context, *Line) error {
					if coded {
						return codedError(17)
					}
					return fmt.Errorf("boat: %w", Usagef("--raw cannot be used with --jq"))
				}},
		}
	}
	return New(Config{
		Root:    root,
		Topics:  []Topic{{Name: "exit-codes", Summary: "what the exit code means", Text: "All is well that ends with 0."}},
		Version: "hark version v1.2.3",
		Stdout:  &r.stdout, Stderr: &r.stderr,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Foreign: func(c *Command, name string) string {
			if f, _ := c.Lookup("count"); f != nil && name == "limit" {
				return "-n (--count) exits after that many events"
			}
			return ""
		},
	})
}

// A codedError has an exit code in the way of the library.
type codedError int

func (e codedError) Error() string { return "failed" }
func (e codedError) ExitCode() int { return int(e) }

// sea runs the test program; variables are "NAME=VALUE".
func sea(t *testing.T, args []string, variables ...string) *seaRun {
	t.Helper()
	env := make(map[string]string)
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	r := new(seaRun)
	r.err = newSea(r, env).Run(t.Context(), args)
	return r
}

func TestFlagsAndArguments(t *testing.T) {
	type want struct {
		Action  string
		Args    []string
		Count   int
		Expr    string
		Raw     bool
		Headers []string
		Verbose counter
		Profile string
	}
	tests := []struct {
		line string
		env  []string
		want want
	}{
		{line: "sea fish cod", want: want{Action: "hark sea fish", Args: []string{"cod"}}},
		{line: "sea fish --count 5 cod", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5}},
		{line: "sea fish cod --count 5", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5}},
		{line: "sea fish cod --count=5", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5}},
		{line: "sea fish cod -n 5", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5}},
		{line: "sea fish -n5 cod", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5}},
		{line: "sea fish -n=5 cod", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5}},
		{line: "sea fish cod -rn5", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5, Raw: true}},
		{line: "sea fish cod -rn 5", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 5, Raw: true}},
		{line: "sea fish cod -vrv -v", want: want{Action: "hark sea fish", Args: []string{"cod"}, Raw: true, Verbose: 3}},
		{line: "sea fish cod -r --raw=false", want: want{Action: "hark sea fish", Args: []string{"cod"}}},
		{line: "sea fish cod --raw -r=false", want: want{Action: "hark sea fish", Args: []string{"cod"}}},
		{line: "sea fish cod -n 1 --count 2 -n3", want: want{Action: "hark sea fish", Args: []string{"cod"}, Count: 3}},
		{line: "sea fish cod --jq -1", want: want{Action: "hark sea fish", Args: []string{"cod"}, Expr: "-1"}},
		{line: "sea fish cod --jq -", want: want{Action: "hark sea fish", Args: []string{"cod"}, Expr: "-"}},
		{line: "sea fish cod --jq -n", want: want{Action: "hark sea fish", Args: []string{"cod"}, Expr: "-n"}},
		{line: "sea fish cod --jq --x", want: want{Action: "hark sea fish", Args: []string{"cod"}, Expr: "--x"}},
		{line: "sea fish cod --jq=--count", want: want{Action: "hark sea fish", Args: []string{"cod"}, Expr: "--count"}},
		{line: "sea fish cod --jq=.a==.b", want: want{Action: "hark sea fish", Args: []string{"cod"}, Expr: ".a==.b"}},
		{line: "sea fish --jq= cod", want: want{Action: "hark sea fish", Args: []string{"cod"}}},
		{line: "sea fish cod -H a:1,2 -Hb --header c", want: want{Action: "hark sea fish", Args: []string{"cod"}, Headers: []string{"a:1,2", "b", "c"}}},
		{line: "--profile p sea fish cod", want: want{Action: "hark sea fish", Args: []string{"cod"}, Profile: "p"}},
		{line: "sea --profile p fish cod -v", want: want{Action: "hark sea fish", Args: []string{"cod"}, Profile: "p", Verbose: 1}},
		{line: "sea fish cod --profile p", want: want{Action: "hark sea fish", Args: []string{"cod"}, Profile: "p"}},
		{line: "connect -- -n 5", want: want{Action: "hark connect", Args: []string{"-n", "5"}}},
		{line: "connect a -- -- --help", want: want{Action: "hark connect", Args: []string{"a", "--", "--help"}}},
		{line: "connect -1 -.5 -", want: want{Action: "hark connect", Args: []string{"-1", "-.5", "-"}}},
		{line: "connect count raw help", want: want{Action: "hark connect", Args: []string{"count", "raw", "help"}}},
		{line: "connect a help", want: want{Action: "hark connect", Args: []string{"a", "help"}}},
		// The environment.
		{line: "connect a", env: []string{"HARK_COUNT=7", "HARK_RAW=true", "HARK_PROFILE=p", "HARK_VERBOSE=1"},
			want: want{Action: "hark connect", Args: []string{"a"}, Count: 7, Raw: true, Profile: "p", Verbose: 1}},
		{line: "connect a -n 2 --raw=false", env: []string{"HARK_COUNT=7", "HARK_RAW=true"},
			want: want{Action: "hark connect", Args: []string{"a"}, Count: 2}},
		{line: "connect a -n2", env: []string{"HARK_COUNT=rubbish"}, want: want{Action: "hark connect", Args: []string{"a"}, Count: 2}},
		{line: "connect a", env: []string{"HARK_COUNT=", "HARK_RAW=", "HARK_JQ="}, want: want{Action: "hark connect", Args: []string{"a"}}},
		{line: "sea sail", env: []string{"HARK_COUNT=rubbish"}, want: want{Action: "hark sea sail"}},
		{line: "connect a", env: []string{"HARK_HEADER=a: 1, 2\r\n\n  b\n"},
			want: want{Action: "hark connect", Args: []string{"a"}, Headers: []string{"a: 1, 2", "  b"}}},
		{line: "connect a -Hc", env: []string{"HARK_HEADER=a\nb"}, want: want{Action: "hark connect", Args: []string{"a"}, Headers: []string{"c"}}},
		{line: "connect a", env: []string{"HARK_JQ=--count"}, want: want{Action: "hark connect", Args: []string{"a"}, Expr: "--count"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			r := sea(t, strings.Fields(tt.line), tt.env...)
			if r.err != nil {
				t.Fatal(r.err)
			}
			got := want{r.action, slices.Clip(r.args), r.count, r.expr, r.raw, r.headers, r.verbose, r.profile}
			if len(got.Args) == 0 {
				got.Args = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if r.stdout.Len()+r.stderr.Len() > 0 {
				t.Errorf("printed %q and %q", &r.stdout, &r.stderr)
			}
		})
	}
}

func TestValueKeepsSpacesAndCommas(t *testing.T) {
	r := sea(t, []string{"connect", "u", "-H", " Accept: a, b ", "--jq", " . "})
	if r.err != nil || r.expr != " . " || len(r.headers) != 1 || r.headers[0] != " Accept: a, b " {
		t.Errorf("headers %q, expression %q, error %v", r.headers, r.expr, r.err)
	}
}

func TestDefaultsAndOwnValues(t *testing.T) {
	r := sea(t, []string{"sea", "fish", "cod"})
	if r.wait != time.Minute || r.token != "builtin-token" {
		t.Errorf("without flags: max-time %v, token %q", r.wait, r.token)
	}
	r = sea(t, []string{"sea", "fish", "cod", "--limit", "20m", "--color"}, "HARK_SEA_TOKEN=t", "HARK_TOKEN=x", "HARK_MAX_TIME=3s")
	if r.err != nil || r.limit != "20m" || r.token != "t" || r.wait != 3*time.Second || r.color != "true" {
		t.Errorf("limit %q, token %q, max-time %v, color %q, error %v", r.limit, r.token, r.wait, r.color, r.err)
	}
	if r = sea(t, []string{"connect", "u", "--color=never", "always"}); r.color != "never" || !slices.Equal(r.args, []string{"u", "always"}) {
		t.Errorf("color %q, arguments %q", r.color, r.args)
	}
}

func TestDurationOfBareNumberIsSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{"5": 5 * time.Second, "1.5": 1500 * time.Millisecond, ".5": 500 * time.Millisecond, "250ms": 250 * time.Millisecond} {
		if r := sea(t, []string{"sea", "fish", "cod", "-m", text}); r.err != nil || r.wait != want {
			t.Errorf("-m %s: %v, error %v", text, r.wait, r.err)
		}
		if r := sea(t, []string{"sea", "fish", "cod"}, "HARK_MAX_TIME="+text); r.err != nil || r.wait != want {
			t.Errorf("HARK_MAX_TIME=%s: %v, error %v", text, r.wait, r.err)
		}
	}
}

func TestDashArgs(t *testing.T) {
	tests := []struct {
		line          string
		before, after []string
		dashed        bool
	}{
		{"mock sea lake", []string{"sea", "lake"}, nil, false},
		{"mock sea --", []string{"sea"}, nil, true},
		{"mock sea -v -- sh -c -v -- x", []string{"sea"}, []string{"sh", "-c", "-v", "--", "x"}, true},
	}
	for _, tt := range tests {
		r := sea(t, strings.Fields(tt.line))
		if r.err != nil || !slices.Equal(r.before, tt.before) || !slices.Equal(r.after, tt.after) || r.dashed != tt.dashed {
			t.Errorf("%s: %q, %q, %v, error %v", tt.line, r.before, r.after, r.dashed, r.err)
		}
	}
}

func TestGivenAs(t *testing.T) {
	for line, want := range map[string]string{
		"connect u":                "",
		"connect u -n5":            "-n",
		"connect u -n5 --count=6":  "--count",
		"connect u HARK_COUNT=8":   "",
		"HARK_COUNT=8 connect u":   "HARK_COUNT",
		"HARK_COUNT=8 connect -n9": "-n",
	} {
		var env []string
		args := strings.Fields(line)
		if strings.Contains(args[0], "=") {
			env, args = args[:1], append(args[1:], "u")
		}
		if r := sea(t, args, env...); r.err != nil || r.as != want {
			t.Errorf("%s: %q, want %q (error %v)", line, r.as, want, r.err)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	const fishHelp = "see 'hark sea fish --help'"
	tests := []struct {
		line    string
		env     string
		message string
		hint    string
	}{
		// Flags.
		{line: "sea fish cod --cuont 5", message: "unknown flag --cuont", hint: "did you mean --count?"},
		{line: "sea fish cod --cou=5", message: "unknown flag --cou", hint: "did you mean --count?"},
		{line: "sea fish cod --colour", message: "unknown flag --colour", hint: "did you mean --color?"},
		{line: "sea fish cod --once", message: "unknown flag --once", hint: fishHelp},
		{line: "sea fish cod --secret-dor", message: "unknown flag --secret-dor", hint: fishHelp},
		{line: "sea fish cod --verbos", message: "unknown flag --verbos", hint: "did you mean --verbose?"},
		{line: "sea fish cod --versoin", message: "unknown flag --versoin", hint: "did you mean --version?"},
		{line: "sea fish cod --n 5", message: "unknown flag --n", hint: "did you mean -n?"},
		{line: "sea fish cod -count 5", message: "unknown flag -count", hint: "did you mean --count?"},
		{line: "sea fish cod -conut=5", message: "unknown flag -conut", hint: "did you mean --count?"},
		{line: "sea fish cod -x", message: "unknown flag -x", hint: fishHelp},
		{line: "sea fish cod -xhunter2", message: "unknown flag -x", hint: fishHelp},
		{line: "sea fish cod -rvx", message: "unknown flag -x behind -rv", hint: fishHelp},
		{line: "sea fish cod -max-time 5s", message: "unknown flag -max-time", hint: "did you mean --max-time?"},
		{line: "sea fish cod --count", message: "--count requires a value", hint: fishHelp},
		{line: "sea fish cod -rn", message: "-n requires a value", hint: fishHelp},
		{line: "sea fish cod --token --count 5", message: "--token requires a value, but --count follows", hint: "if --count is the value, write --token=--count"},
		{line: "sea fish cod --token -- 5", message: "--token requires a value, but -- follows", hint: "if -- is the value, write --token=--"},
		{line: "connect u --limit 5", message: "unknown flag --limit", hint: "-n (--count) exits after that many events"},
		{line: "-n 5 connect u", message: "unknown flag -n", hint: "-n goes after the command: 'hark sea fish -n'"},
		{line: "sea --token x fish cod", message: "unknown flag --token", hint: "--token goes after the command: 'hark sea fish --token'"},
		{line: "--bogus", message: "unknown flag --bogus", hint: "see 'hark --help'"},
		// Values.
		{line: "sea fish cod -n five", message: `invalid value "five" for -n: expected a whole number`, hint: fishHelp},
		{line: "sea fish cod --count=", message: `invalid value "" for --count: expected a whole number`, hint: fishHelp},
		{line: "sea fish cod --count 99999999999999999999", message: `invalid value "99999999999999999999" for --count: value out of range`, hint: fishHelp},
		{line: "sea fish cod --max-time 5x", message: `invalid value "5x" for --max-time: expected a duration such as 500ms, 30s or 5m`, hint: fishHelp},
		{line: "sea fish cod --max-time 99999999999", message: `invalid value "99999999999" for --max-time: expected a duration such as 500ms, 30s or 5m`, hint: fishHelp},
		{line: "sea fish cod --raw=maybe", message: `invalid value "maybe" for --raw: expected true or false`, hint: fishHelp},
		{line: "sea fish cod --verbose=maybe", message: `invalid value "maybe" for --verbose: expected true or false`, hint: fishHelp},
		{line: "sea fish cod --limit 20", message: `invalid value "20" for --limit: expected fathoms or metres, as in 20m`, hint: fishHelp},
		{line: "sea fish cod --pin hunter2", message: "invalid value for --pin: expected a whole number", hint: fishHelp},
		{line: "sea fish cod --endpoint wss://u:hunter2@sea:x", message: "invalid value for --endpoint: parse it: invalid port", hint: fishHelp},
		// Variables.
		{line: "sea fish cod", env: "HARK_COUNT=five", message: `invalid value "five" in HARK_COUNT: expected a whole number`, hint: fishHelp},
		{line: "sea fish cod", env: "HARK_RAW=yes", message: `invalid value "yes" in HARK_RAW: expected true or false`, hint: fishHelp},
		{line: "sea fish cod", env: "HARK_SEA_LIMIT=20", message: `invalid value "20" in HARK_SEA_LIMIT: expected fathoms or metres, as in 20m`, hint: fishHelp},
		{line: "sea fish cod", env: "HARK_SEA_PIN=hunter2", message: "invalid value in HARK_SEA_PIN: expected a whole number", hint: fishHelp},
		// Commands.
		{line: "see fish cod", message: `unknown command "see"`, hint: "did you mean 'hark sea'?"},
		{line: "sea fihs cod", message: `unknown command "fihs"`, hint: "did you mean 'hark sea fish'?"},
		{line: "conn u", message: `unknown command "conn"`, hint: "did you mean 'hark connect'?"},
		{line: "fish cod", message: `unknown command "fish"`, hint: "did you mean 'hark sea fish'?"},
		{line: "zzz", message: `unknown command "zzz"`, hint: "see 'hark --help'"},
		{line: "zzz --help", message: `unknown command "zzz"`, hint: "see 'hark --help'"},
		{line: "sea depe", message: `unknown command "depe"`, hint: "see 'hark sea --help'"},
		{line: "deep", message: `unknown command "deep"`, hint: "see 'hark --help'"},
		{line: "eyJhbGciOiJIUzI1NiJ9.hunter2hunter2", message: "unknown command", hint: "see 'hark --help'"},
		{line: "sea -- fish", message: `unknown command "fish"`, hint: "did you mean 'hark sea fish'?"},
		{line: "help zzz", message: `no help about "zzz"`, hint: "see 'hark --help'"},
		{line: "help exit-code", message: `no help about "exit-code"`, hint: "did you mean 'hark help exit-codes'?"},
		{line: "help sea fihs", message: `unknown command "fihs"`, hint: "did you mean 'hark sea fish'?"},
		// Arguments.
		{line: "sea fish", message: "missing argument: KIND[/SIZE]", hint: "usage: hark sea fish [FLAGS] KIND[/SIZE]"},
		{line: "mock", message: "missing argument: SEA", hint: "usage: hark mock SEA… [-- COMMAND…]"},
		{line: "mock -- sea", message: "missing argument: SEA", hint: "usage: hark mock SEA… [-- COMMAND…]"},
		{line: "sea fish cod haddock", message: `too many arguments "haddock"`, hint: fishHelp},
		{line: "sea sail -- home", message: `hark sea sail takes no arguments "home"`, hint: "see 'hark sea sail --help'"},
		{line: "fail", message: "--raw cannot be used with --jq", hint: "see 'hark fail --help'"},
		// The first of several.
		{line: "sea fish --foo --bar -n x", message: "unknown flag --foo", hint: fishHelp},
	}
	for _, tt := range tests {
		t.Run(tt.line+" "+tt.env, func(t *testing.T) {
			var env []string
			if tt.env != "" {
				env = append(env, tt.env)
			}
			r := sea(t, strings.Fields(tt.line), env...)
			usage, ok := errors.AsType[*UsageError](r.err)
			if !ok {
				t.Fatalf("error %T %v", r.err, r.err)
			}
			if usage.Message != tt.message || usage.Hint() != tt.hint {
				t.Errorf("got  %s\n     %s\nwant %s\n     %s", usage.Message, usage.Hint(), tt.message, tt.hint)
			}
			if r.stdout.Len()+r.stderr.Len() > 0 {
				t.Errorf("printed %q and %q", &r.stdout, &r.stderr)
			}
			if r.action != "" {
				t.Errorf("ran %s", r.action)
			}
		})
	}
}

// The library would exit for an error with an exit code.
func TestExitCodeOfACommandComesBack(t *testing.T) {
	r := sea(t, []string{"fail", "--exit-code"})
	if coder, ok := errors.AsType[codedError](r.err); !ok || coder != 17 {
		t.Errorf("error %v", r.err)
	}
	if r.stdout.Len()+r.stderr.Len() > 0 {
		t.Errorf("printed %q and %q", &r.stdout, &r.stderr)
	}
}

func TestVersionLine(t *testing.T) {
	if r := sea(t, []string{"sea", "fish", "--version"}); r.err != nil || r.stdout.String() != "hark version v1.2.3\n" {
		t.Errorf("printed %q, error %v", &r.stdout, r.err)
	}
	info := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for want, info := range map[string]*debug.BuildInfo{
		"hark version v1.2.3 (go":                   info("v1.2.3", revision),
		"hark version devel (go":                    nil,
		"hark version devel 0123456789ab (go":       info("(devel)", revision),
		"hark version devel 0123456789ab+dirty (go": info("", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
	} {
		if got := VersionLine("hark", info); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ")") {
			t.Errorf("got %q, want %q…", got, want)
		}
	}
}
