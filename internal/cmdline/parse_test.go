package cmdline

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArity(t *testing.T) {
	tests := []struct {
		synopsis    string
		least, most int
	}{
		{"", 0, 0},
		{"APP[/CHANNEL]", 1, 1},
		{"[URL]", 0, 1},
		{"STREAM…", 1, -1},
		{"STREAM...", 1, -1},
		{"URL [FILE…]", 1, -1},
		{"FROM TO [WHEN]", 2, 3},
	}
	for _, tt := range tests {
		if least, most := arity(tt.synopsis); least != tt.least || most != tt.most {
			t.Errorf("%q: %d to %d, want %d to %d", tt.synopsis, least, most, tt.least, tt.most)
		}
	}
}

// The argument list for the library must parse to the same line.
func TestArgvIsCanonical(t *testing.T) {
	root := newSea(new(seaRun), nil).root
	line, err := root.Parse(strings.Fields("-v sea fish -rn5 cod --jq=a=b -H x --profile p -H y -- -z --"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"hark", "--verbose=true", "--profile=p", "sea", "fish", "--raw=true", "--count=5",
		"--jq=a=b", "--header=x", "--header=y", "--", "cod", "-z", "--"}
	if diff := cmp.Diff(want, line.argv()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzParse asserts that no word is lost, used twice or moved to where its meaning
// changes, and that the ordered list parses like the typed one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"sea fish cod -n 5", "sea fish -rn5 cod --jq -1 -- --help -x", "--profile p connect u -Ha: b",
		"sea fish --token --count 5", "help sea fish", "sea fish -h", "connect -1 - --color=x", "sea -v sail", "--version",
		"connect\x00\x00--jq\x00", "connect --=x", "connect -=", "connect -é --é", "connect -n\xff",
	} {
		f.Add(strings.ReplaceAll(seed, " ", "\x00"))
	}
	root := newSea(new(seaRun), nil).root
	f.Fuzz(func(t *testing.T, text string) {
		argv := strings.Split(text, "\x00")
		typed := slices.Clone(argv)
		line, err := root.Parse(argv)
		if !slices.Equal(argv, typed) {
			t.Fatalf("the caller's list was changed to %q", argv)
		}
		if err != nil {
			if usage, ok := errors.AsType[*UsageError](err); !ok || usage.Message == "" || usage.Hint() == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if !line.asks("help") { // --help takes precedence over unknown words
			checkWords(t, typed, line)
		}
		line.Settings = slices.DeleteFunc(line.Settings, func(s Setting) bool { return s.Flag.builtin })
		again, err := root.Parse(line.argv()[1:])
		if err != nil {
			t.Fatalf("%q is refused: %v", line.argv(), err)
		}
		if again.Command != line.Command {
			t.Fatalf("%q means %s, not %s", line.argv(), again.Command.path, line.Command.path)
		}
		if got, want := again.after, append(line.before, line.after...); !slices.Equal(got, want) {
			t.Fatalf("arguments %q, want %q", got, want)
		}
		if diff := cmp.Diff(values(line), values(again)); diff != "" {
			t.Fatalf("settings (-typed +in order)\n%s", diff)
		}
	})
}

// checkWords counts the words of a parsed command line.
func checkWords(t *testing.T, argv []string, line *Line) {
	words := slices.Concat(line.typed, line.before, line.after)
	for _, s := range line.Settings {
		words = append(words, s.words...)
	}
	if line.dashed {
		words = append(words, "--")
	}
	slices.Sort(words)
	slices.Sort(argv)
	if !slices.Equal(words, argv) {
		t.Fatalf("of %q came %q", argv, words)
	}
}

// values lists the settings by command, as the library gets them.
func values(line *Line) map[string][]string {
	m := make(map[string][]string)
	for _, s := range line.Settings {
		m[s.At.path] = append(m[s.At.path], s.Flag.Name+"="+s.Value)
	}
	return m
}
