package cmdline

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// fishHelpAll is the output of --help-all.
const fishHelpAll = `Examples:
  hark sea fish herring

Usage:
  hark sea fish [FLAGS] KIND[/SIZE]

Stream fish.

Fish come as they are. Nothing is cooked.

  kept   as is

Arguments:
  KIND  name of the fish
  SIZE  only fish of that size; without it fish of every size that there is

Flags:
      --jq EXPR        shape each fish with EXPR [HARK_JQ]
  -r, --raw            print strings as they are [HARK_RAW]
  -H, --header HEADER  send HEADER [repeatable, HARK_HEADER]
      --color[=WHEN]   color WHEN always, never or auto [HARK_COLOR]

Ending:
  -n, --count N        stop after N fish [HARK_COUNT]
  -m, --max-time D     stop after D [default 1m, HARK_MAX_TIME]

Sea:
      --token VALUE    credential for the sea [HARK_SEA_TOKEN]
      --limit DEPTH    not below DEPTH [HARK_SEA_LIMIT]
      --pin VALUE      number of the gate [HARK_SEA_PIN]
      --endpoint URL   another sea at URL [HARK_SEA_ENDPOINT]

Global flags:
  -v, --verbose        say more [HARK_VERBOSE]
      --profile NAME   settings called NAME [HARK_PROFILE]
  -h, --help           show this help
      --help-all       show this help with all flags
      --version        show the version
`

// fishHelp omits the variables, "may be repeated", and the global flags.
var fishHelp = regexp.MustCompile(`( \[|, )HARK_\w+\]`).ReplaceAllStringFunc(
	strings.Replace(fishHelpAll[:strings.Index(fishHelpAll, "Global flags")], "[repeatable, ", "[", 1), func(s string) string {
		if s[0] == ' ' {
			return ""
		}
		return "]"
	}) + "'hark sea fish --help-all' explains all flags.\n"

func TestHelpOfACommand(t *testing.T) {
	for _, line := range []string{
		"sea fish --help", "sea fish -h", "sea fish cod -rh", "--help sea fish", "sea -h fish cod x y z",
		"sea fish --bogus -n --help", "help sea fish", "sea help fish",
		"sea fish --help-all", "sea fish --bogus --help-all x y",
	} {
		want := fishHelp
		if strings.Contains(line, "-all") {
			want = fishHelpAll
		}
		// A credential in the environment is not shown, an invalid value has no effect.
		r := sea(t, strings.Fields(line), "HARK_SEA_TOKEN=hunter2", "HARK_COUNT=x")
		if diff := cmp.Diff(want, r.stdout.String()); diff != "" || r.err != nil || r.stderr.Len() > 0 {
			t.Errorf("%s: error %v, stderr %q, stdout (-want +got)\n%s", line, r.err, &r.stderr, diff)
		}
	}
}

func TestHelpIsNotAValue(t *testing.T) {
	for _, line := range []string{"sea fish cod -- --help", "sea fish cod --jq -h", "mock sea -- sh --help"} {
		if r := sea(t, strings.Fields(line)); r.stdout.Len() > 0 {
			t.Errorf("%s: printed help", line)
		}
	}
}

func TestHelpOfTheProgram(t *testing.T) {
	want := sea(t, []string{"--help"}).stdout.String()
	for _, part := range []string{
		"Examples:\n  # no boat needed\n  hark sea fish --raw herring\n\nUsage:\n  hark COMMAND [FLAGS]\n",
		"\nServices:\n  sea      what lives in the sea: fish, sail\n  connect  stream any water\n\nCommands:\n  mock",
		"\nTopics:\n  exit-codes\n",
	} {
		if !strings.Contains(want, part) {
			t.Errorf("%q is missing in\n%s", part, want)
		}
	}
	if strings.Contains(want, "deep") {
		t.Errorf("a hidden command is shown in\n%s", want)
	}
	if all := sea(t, []string{"--help-all"}).stdout.String(); !strings.Contains(all, "\nServices:\n  sea fish  stream fish\n  sea sail  sail about\n") {
		t.Errorf("--help-all does not list all commands:\n%s", all)
	}
	if r := sea(t, []string{"help"}); r.stdout.String() != want || r.err != nil {
		t.Errorf("help: error %v\n%s", r.err, &r.stdout)
	}
	// For a script, a command line without a command is an error.
	r := sea(t, nil)
	usage, ok := errors.AsType[*UsageError](r.err)
	if !ok || !usage.Shown || usage.Hint() != "" || r.stdout.Len() > 0 || r.stderr.String() != want {
		t.Errorf("without arguments: error %#v, stdout %q, stderr\n%s", r.err, &r.stdout, &r.stderr)
	}
}

func TestHelpOfAGroup(t *testing.T) {
	r := sea(t, []string{"sea"})
	if _, ok := errors.AsType[*UsageError](r.err); !ok || !strings.Contains(r.stderr.String(), "\nCommands:\n  fish  stream fish\n  sail") {
		t.Errorf("error %v, stderr\n%s", r.err, &r.stderr)
	}
	if r = sea(t, []string{"sea", "help"}); r.err != nil || !strings.HasPrefix(r.stdout.String(), "Examples:\n  hark sea sail\n") {
		t.Errorf("error %v, stdout\n%s", r.err, &r.stdout)
	}
}

func TestHelpTopic(t *testing.T) {
	r := sea(t, []string{"help", "exit-codes"})
	if r.err != nil || r.stdout.String() != "All is well that ends with 0.\n" {
		t.Errorf("error %v, stdout %q", r.err, &r.stdout)
	}
	r = sea(t, []string{"help", "topics"})
	if r.err != nil || r.stdout.String() != "Topics:\n  exit-codes  what the exit code means\n" {
		t.Errorf("error %v, stdout %q", r.err, &r.stdout)
	}
}

func TestHelpFitsTheWidth(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("word ", 60))
	for _, width := range []int{0, 50, 100} {
		var out strings.Builder
		a := New(Config{
			Root: &Command{Name: "hark", Usage: long, Description: long, Args: "X\nX\t" + long, Flags: []*Flag{
				{Name: "f", Value: String(new(string)), Usage: long},
				{Name: "in-the-way", Value: String(new(string)), Usage: "takes `SOMETHING-RATHER-LONG` " + long},
			}},
			Stdout: &out, Width: width,
		})
		if err := a.Run(t.Context(), []string{"--help"}); err != nil {
			t.Fatal(err)
		}
		limit := width
		if width == 0 {
			limit = 80
		}
		widest := 0
		for line := range strings.Lines(out.String()) {
			line = strings.TrimRight(line, "\n")
			widest = max(widest, utf8.RuneCountInString(line))
			if strings.HasSuffix(line, " ") {
				t.Errorf("spaces at the end of %q", line)
			}
		}
		if widest > limit || widest < limit-len("words") {
			t.Errorf("width %d: widest line has %d columns\n%s", width, widest, &out)
		}
	}
}

// A closed stdout must be reported to the code that decides the exit code.
func TestHelpReportsWriteErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, line := range []string{"--help", "help", "--version", "help about", "connect -h"} {
		a := newSea(new(seaRun), nil)
		a.config.Topics = []Topic{{Name: "about", Text: "x"}}
		a.config.Stdout = writerFunc(func([]byte) (int, error) { return 0, broken })
		if err := a.Run(t.Context(), strings.Fields(line)); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", line, err)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
