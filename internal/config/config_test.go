package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `# mine
retries = 20
header = ["A: 1", 'B: 2']

[octave]
company = "acme"
emulator = true

[profile.staging]
retries = 3
[profile.staging.octave]
endpoint = "https://octave.example.com"
"ack-timeout" = "5s"

[macros]
hello = '{"hello":"${name}"}'
`

func TestParse(t *testing.T) {
	f, err := Parse("c.toml", sample)
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{Name: "header", Values: []string{"A: 1", "B: 2"}, Line: 3},
		{Service: "octave", Name: "company", Values: []string{"acme"}, Line: 6},
		{Service: "octave", Name: "emulator", Values: []string{"true"}, Line: 7},
		{Profile: "staging", Service: "octave", Name: "ack-timeout", Values: []string{"5s"}, Line: 13},
		{Profile: "staging", Service: "octave", Name: "endpoint", Values: []string{"https://octave.example.com"}, Line: 12},
		{Profile: "staging", Name: "retries", Values: []string{"3"}, Line: 10},
		{Name: "retries", Values: []string{"20"}, Line: 2},
	}
	if diff := cmp.Diff(want, f.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"staging"}, f.Profiles); diff != "" {
		t.Errorf("profiles (-want +got):\n%s", diff)
	}
	if f.Macros["hello"] != `{"hello":"${name}"}` {
		t.Errorf("macros: %v", f.Macros)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a = \n":                            "c.toml:1: ",
		"\n\na = 1\na = 2\n":                "c.toml:4: ",
		"x = 1\n[octave]\nd = 2024-01-01\n": "c.toml:3: octave.d: expected a string",
		"[profile]\nstaging = 1\n":          "c.toml:2: profile.staging: expected a table",
		"[macros]\nm = 1\n":                 "c.toml:2: macros.m: expected a string",
		"[octave]\nx = {y = 1}\n":           "c.toml:2: octave.x: expected a string",
	} {
		_, err := Parse("c.toml", text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s…", text, err, want)
		}
	}
}

func TestReadNothing(t *testing.T) {
	f, err := Read(t.Context(), t.TempDir()+"/none.toml")
	if err != nil || len(f.Settings) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("c.toml", text)
		if (file == nil) != (err != nil) {
			t.Errorf("%+v, %v", file, err)
		}
	})
}

// A byte order mark does not shift lines, and a list of tables is reported as one.
func TestParseNamesWhatIsWrong(t *testing.T) {
	f, err := Parse("c.toml", "\ufeffretries = 1\ncount = 2\n")
	if err != nil || len(f.Settings) != 2 || f.Settings[0].Line+f.Settings[1].Line != 3 {
		t.Errorf("%+v, %v", f, err)
	}
	for text, want := range map[string]string{
		"[[octave]]\nuser = 'x'":           "c.toml:1: [[octave]] begins a list of tables: write [octave]",
		"[profiles.x]\nuser = 'x'":         "c.toml:1: unknown table [profiles.x]: a profile is written [profile.x]",
		"\n[[profile.a]]\nuser = 'x'":      "c.toml:2: [[profile.a]] begins a list of tables: write [profile.a]",
		"[[profile.a.octave]]\nuser = 'x'": "c.toml:1: [[profile.a.octave]] begins a list of tables: write [profile.a.octave]",
		"profile = 'x'":                    "c.toml:1: profile is a table: [profile.NAME]; --profile NAME or HARK_PROFILE chooses one",
	} {
		if _, err := Parse("c.toml", text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
