package main

import (
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	all, err := parse("f", "// about\n\n# one\nfile a/b.go\n- x\n-   y\n+ z\n\n# two\nfile c.go\ntest ^TestX$\n- x\n")
	if err != nil || len(all) != 2 {
		t.Fatalf("%d mutants, error %v", len(all), err)
	}
	one, two := all[0], all[1]
	if one.about != "one" || one.file != "a/b.go" || one.where != "f:3" || strings.Join(one.from, "|") != "x|  y" || strings.Join(one.to, "|") != "z" {
		t.Errorf("%+v", one)
	}
	if two.test != "^TestX$" || two.to != nil {
		t.Errorf("%+v", two)
	}
	for _, bad := range []string{
		"file x\n", "# a\nfile x\n", "# a\n- x\n", "#\nfile x\n- x\n", "# a\nfile x\n- x\nrun x\n", "# a\nfile x\n- x\ntest (\n",
	} {
		if _, err := parse("f", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestApply(t *testing.T) {
	const source = "a {\n\t\tb(1)\n\t}\n\tb(2)\n"
	for _, tt := range []struct{ from, to, want string }{
		{"b(1)", "c", "a {\n\t\tc\n\t}\n\tb(2)\n"},
		{"b(1)\n}", "", "a {\n\t\t\n\tb(2)\n"},
		{"b(1)\nb(2)", "x", ""},
		{"b(", "x", ""},
		{"c", "x", ""},
	} {
		m := &mutant{file: "f", from: strings.Split(tt.from, "\n"), to: strings.Split(tt.to, "\n")}
		got, err := m.apply(source)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q: %q, error %v", tt.from, got, err)
		}
	}
}

// A mutant that the tests notice is killed; all others fail the command.
func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod":      "module m\n\ngo 1.26\n",
		"p/p.go":      "package p\n\nfunc Double(n int) int { return n + n }\n\nfunc Unused() int { return 1 }\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestDouble(t *testing.T) {\n\tif Double(3) != 6 {\n\t\tt.Error()\n\t}\n}\n",
	} {
		if err := os.MkdirAll("p", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ from, to, test, want string }{
		{"return n + n", "return n", "", ""},
		{"return n + n", "return n", "^TestDouble$", ""},
		{"return n + n", "return n + 3", "", "no test notices"},
		{"return 1", "return 2", "", "no test notices"},
		{"return n + n", "return x", "", "cannot be built"},
		{"return", "return 1 +", "", "occurs 2 times"},
		{"return n + n", "return n", "^TestOther$", "no test of p ran"},
	} {
		m := &mutant{about: "x", where: "f:1", file: "p/p.go", test: tt.test, from: []string{tt.from}, to: []string{tt.to}}
		err := run([]*mutant{m}, 1, defaultTimeout)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q to %q: %v, want %q", tt.from, tt.to, err, tt.want)
		}
	}
}
