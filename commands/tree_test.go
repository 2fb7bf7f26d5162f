package commands

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
)

func TestTree(t *testing.T) {
	if problems := Tree(io.Discard).Problems(); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
}

func TestHelpJSON(t *testing.T) {
	var stdout bytes.Buffer
	a := Tree(&stdout)
	if err := a.Run(t.Context(), []string{"help", "--json"}); err != nil {
		t.Fatal(err)
	}
	var root cmdline.CommandDoc
	d := json.NewDecoder(&stdout)
	d.DisallowUnknownFields()
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.Root().Describe(), root, cmpopts.IgnoreFields(cmdline.FlagDoc{}, "Detail")); diff != "" {
		t.Errorf("what was printed is not the tree (-want +got)\n%s", diff)
	}
	known := make(map[string]cmdline.FlagDoc)
	for _, c := range root.Leaves() {
		if c.Summary == "" || c.Synopsis == "" || len(c.Examples) == 0 {
			t.Errorf("%s: summary %q, synopsis %q, examples %q", c.Path, c.Summary, c.Synopsis, c.Examples)
		}
		for _, f := range c.Flags {
			if !strings.HasPrefix(f.Name, "--") || f.Usage == "" || !strings.HasPrefix(f.Variable, "HARK_") {
				t.Errorf("%s: %+v", c.Path, f)
			}
			known[c.Path+" "+f.Name] = f
		}
	}
	want := cmdline.FlagDoc{Name: "--max-time", Short: "-m", Value: "D", Group: program.CatEnd, Variable: "HARK_MAX_TIME"}
	got := known["hark drogue tail --max-time"]
	got.Usage = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("--max-time (-want +got)\n%s", diff)
	}
	if f := known["hark octave subscribe --token"]; f.Variable != "HARK_OCTAVE_TOKEN" || !f.Secret || f.Default != "" {
		t.Errorf("--token: %+v", f)
	}
	if f := known["hark drogue tail --retries"]; f.Default != "10" {
		t.Errorf("--retries: %+v", f)
	}
}

func TestComplete(t *testing.T) {
	tests := []struct {
		words string // separated by spaces, the last one is being typed
		want  string // candidates, separated by spaces
	}{
		{"dr", "drogue"},
		{"drogue ", "tail apps publish login logout whoami endpoints"},
		{"help exit", "exit-codes"},
		{"drogue tail --jq-er", "--jq-error"},
		{"drogue tail --jq-error ", "continue fail"},
		{"drogue tail --jq-error=f", "--jq-error=fail"},
		{"drogue tail x --jq-error c", "continue"},
		{"doshii listen --env ", "sandbox live"},
		{"completion ", "bash zsh fish powershell"},
		{"emulate octave d", "drogue doshii"},
		{"emulate octave -- x", ":files"},
		{"drogue tail --jq ", ""},
		{"--vers", "--version"},
		{"nothing ", ""},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := Tree(&b).Run(t.Context(), append([]string{"__complete"}, strings.Split(tt.words, " ")...)); err != nil {
			t.Error(err)
		}
		var got []string
		for line := range strings.Lines(b.String()) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		if have := strings.Join(got, " "); have != tt.want {
			t.Errorf("%q: %q, want %q", tt.words, have, tt.want)
		}
	}
	// It never fails: a shell would print the error into the line being typed.
	for _, words := range [][]string{nil, {""}, {"-"}, {"--"}, {"--="}, {"drogue", "tail", "-", "--x="}} {
		if err := Tree(new(bytes.Buffer)).Run(t.Context(), append([]string{"__complete"}, words...)); err != nil {
			t.Errorf("%q: %v", words, err)
		}
	}
}
