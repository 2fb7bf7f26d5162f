// Mutants makes mistakes in the program, one at a time, and reports those that the
// tests do not notice.
//
// The mistakes are described in text files:
//
//	# What is wrong then: a line that describes the mistake
//	file proto/ready.go
//	test TestReadyResets
//	- s.failures = 0
//	+ s.failures = 1
//
// The lines with "-" must occur exactly once in the file, indentation aside; those
// with "+", if any, replace them. Lines with "//" are comments. The tests are those of
// the package of the file, or of the one that "package" names; "test" is a regular
// expression of those that suffice, which makes it faster. Without it, all run, except
// those that -short leaves out.
//
// The source tree is not touched: the go command is given the changed file instead of
// the original (its flag -overlay).
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

const defaultTimeout = 2 * time.Minute

func main() {
	jobs := flag.Int("j", runtime.GOMAXPROCS(0), "how many mutants are tested at the same time")
	only := flag.String("run", "", "test only mutants whose description or file matches this regular expression")
	timeout := flag.Duration("timeout", defaultTimeout, "a mutant whose tests take longer counts as killed")
	check := flag.Bool("check", false, "run no tests, only check that each mistake can be made")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: mutants [FLAGS] FILE...")
		flag.PrintDefaults()
	}
	root := flag.String("root", ".", "root folder of the repository")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	all, err := load(flag.Args(), *only)
	if err == nil {
		err = os.Chdir(*root)
	}
	switch {
	case err != nil:
	case *check:
		err = applicable(all)
	default:
		err = run(all, *jobs, *timeout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// A mutant is a mistake in one file of the program.
type mutant struct {
	about string // what the mistake is
	where string // FILE:LINE of its description
	file  string // slashes, below the working directory
	tests string // folder of the package with the tests, or ""
	test  string // regular expression of the tests that suffice, or ""
	from  []string
	to    []string
}

// parse reads the mutants of a description.
func parse(name, text string) ([]*mutant, error) {
	var all []*mutant
	var m *mutant
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		kind, rest, _ := strings.Cut(line, " ")
		where := fmt.Sprintf("%s:%d", name, n)
		if m == nil && kind != "" && kind != "//" && kind != "#" {
			return nil, fmt.Errorf("%s: a mutant begins with a line of # and its description", where)
		}
		switch kind {
		case "", "//":
		case "#":
			m = &mutant{about: strings.TrimSpace(rest), where: where}
			all = append(all, m)
		case "file":
			m.file = rest
		case "package":
			m.tests = rest
		case "test":
			if _, err := regexp.Compile(rest); err != nil {
				return nil, fmt.Errorf("%s: %w", where, err)
			}
			m.test = rest
		case "-":
			m.from = append(m.from, rest)
		case "+":
			m.to = append(m.to, rest)
		default:
			return nil, fmt.Errorf("%s: a line begins with //, #, file, package, test, - or +, not with %q", where, kind)
		}
	}
	for _, m := range all {
		if m.about == "" || m.file == "" || len(m.from) == 0 {
			return nil, fmt.Errorf("%s: a mutant has a description, a file and a line with -", m.where)
		}
	}
	return all, nil
}

// pkg is the folder of the package whose tests are run.
func (m *mutant) pkg() string {
	if m.tests != "" {
		return m.tests
	}
	return path.Dir(m.file)
}

// apply returns the source with the mistake in it.
func (m *mutant) apply(source string) (string, error) {
	quoted := make([]string, len(m.from))
	for i, line := range m.from {
		quoted[i] = regexp.QuoteMeta(strings.TrimSpace(line))
	}
	found := regexp.MustCompile(strings.Join(quoted, `\n[ \t]*`)).FindAllStringIndex(source, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("%s: the text to replace occurs %d times in %s, not once:\n%s",
			m.where, len(found), m.file, strings.Join(m.from, "\n"))
	}
	return source[:found[0][0]] + strings.Join(m.to, "\n") + source[found[0][1]:], nil
}

// A tester builds and runs the tests of packages, in files of its own below folder.
type tester struct {
	folder  string
	timeout time.Duration
}

// build builds the tests of a package with one file replaced, if its name is not "".
func (t *tester) build(pkg, id, file, source string) (string, error) {
	binary := filepath.Join(t.folder, id+".test")
	args := []string{"test", "-c", "-o", binary}
	if file != "" {
		changed := filepath.Join(t.folder, id+".go")
		original, err := filepath.Abs(filepath.FromSlash(file))
		if err != nil {
			return "", err
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
		if err != nil {
			return "", err
		}
		list := filepath.Join(t.folder, id+".json")
		if err := errors.Join(os.WriteFile(changed, []byte(source), 0o600), os.WriteFile(list, overlay, 0o600)); err != nil {
			return "", err
		}
		args = append(args, "-overlay", list)
	}
	if out, err := exec.Command("go", append(args, "./"+pkg)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

// test runs the tests that match and returns what they print.
func (t *tester) test(binary, pkg, match string) (passed bool, out []byte) {
	cmd := exec.Command(binary, "-test.failfast", fmt.Sprint("-test.timeout=", t.timeout))
	if match == "" {
		cmd.Args = append(cmd.Args, "-test.short")
	} else {
		cmd.Args = append(cmd.Args, "-test.run="+match, "-test.v")
	}
	cmd.Dir = filepath.FromSlash(pkg)
	out, err := cmd.CombinedOutput()
	return err == nil, out
}

// check fails when the tests of a mutant do not pass without it, because then they
// say nothing about it. binary has the tests of the unchanged package.
func (t *tester) check(binary string, m *mutant) error {
	pkg := m.pkg()
	passed, out := t.test(binary, pkg, m.test)
	switch {
	case !passed:
		return fmt.Errorf("%s: the tests of %s fail without any mutant:\n%s", m.where, pkg, out)
	case m.test != "" && !bytes.Contains(out, []byte("--- PASS")):
		return fmt.Errorf("%s: no test of %s ran for %s", m.where, pkg, m.test)
	}
	return nil
}

// kill reports whether the tests notice the mutant, and what they print.
func (t *tester) kill(id string, m *mutant) (killed bool, out []byte, err error) {
	changed, err := m.changed()
	if err != nil {
		return false, nil, err
	}
	pkg := m.pkg()
	binary, err := t.build(pkg, id, m.file, changed)
	if err != nil {
		return false, nil, fmt.Errorf("%s: the mutant cannot be built: %w", m.where, err)
	}
	defer os.Remove(binary)
	passed, out := t.test(binary, pkg, m.test)
	return !passed, out, nil
}

// load reads the mutants of files and returns those whose description or file matches.
func load(files []string, only string) ([]*mutant, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	var all []*mutant
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list, err := parse(name, string(text))
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			if match.MatchString(m.about) || match.MatchString(m.file) {
				all = append(all, m)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there are no mutants to test")
	}
	return all, nil
}

// changed returns the source of the file of a mutant with the mistake in it.
func (m *mutant) changed() (string, error) {
	source, err := os.ReadFile(filepath.FromSlash(m.file))
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.where, err)
	}
	return m.apply(string(source))
}

// applicable returns an error that names the mutants whose text is not in the program
// any more.
func applicable(all []*mutant) error {
	var failed []error
	for _, m := range all {
		_, err := m.changed()
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// run tests the mutants and prints the result of each; survivors are an error.
func run(all []*mutant, jobs int, timeout time.Duration) error {
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	t := &tester{folder, timeout}

	var mu sync.Mutex
	var failed []error
	fail := func(err error) {
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
		}
	}
	packages := make(map[string]string) // to the binaries of their tests
	var checks []*mutant                // with different tests
	seen := make(map[[2]string]bool)
	for _, m := range all {
		pkg := m.pkg()
		if packages[pkg] == "" {
			if packages[pkg], err = t.build(pkg, fmt.Sprint("package", len(packages)), "", ""); err != nil {
				return err
			}
		}
		if key := [2]string{pkg, m.test}; !seen[key] {
			seen[key] = true
			checks = append(checks, m)
		}
	}
	each(jobs, len(checks), func(i int) { fail(t.check(packages[checks[i].pkg()], checks[i])) })
	if len(failed) > 0 {
		return errors.Join(failed...)
	}

	var survived []*mutant
	each(jobs, len(all), func(i int) {
		m := all[i]
		started := time.Now()
		killed, out, err := t.kill(fmt.Sprint("mutant", i), m)
		mu.Lock()
		defer mu.Unlock()
		word := "SURVIVED"
		switch {
		case err != nil:
			word = "FAILED"
			failed = append(failed, err)
		case killed:
			word = "killed by " + killer(out)
		default:
			survived = append(survived, m)
		}
		fmt.Printf("%5.1fs  %s: %s: %s\n", time.Since(started).Seconds(), m.file, m.about, word)
	})
	fmt.Printf("%d mutants, %d killed, %d survived, %d failed\n", len(all), len(all)-len(survived)-len(failed), len(survived), len(failed))
	for _, m := range survived {
		fmt.Printf("survived: %s: %s: %s\n", m.where, m.file, m.about)
	}
	if len(survived) > 0 {
		failed = append(failed, errors.New("there are mistakes that no test notices"))
	}
	return errors.Join(failed...)
}

// each calls do for 0 to n-1, up to jobs calls at the same time.
func each(jobs, n int, do func(int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(jobs, 1))
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// killer names the test that failed, the innermost first.
func killer(out []byte) string {
	if all := failure.FindAllSubmatch(out, -1); len(all) > 0 {
		return string(all[len(all)-1][1])
	}
	if bytes.Contains(out, []byte("panic: test timed out")) {
		return "the time limit"
	}
	return "a crash"
}
