// Testrun runs the tests of several modules as "go test" does and lists at the end what
// was skipped, and why:
//
//	testrun -root FOLDER -test '-race -timeout=10m' MODULE...
//
// A test is skipped with its message as the reason. A test that skips only a part of
// itself prints a line "skipped: REASON". With HARK_TEST_STRICT=1 in the environment,
// anything skipped is a failure, except for the reasons that -may-skip matches.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

func main() {
	root := flag.String("root", ".", "root folder of the repository")
	flags := flag.String("test", "", "flags of go test, separated by spaces")
	may := flag.String("may-skip", "^$", "reasons that are not failures in strict mode, a regular expression")
	flag.Parse()
	r := &report{out: os.Stdout, reasons: make(map[string][]string), output: make(map[test][]string)}
	// Their tests wait a lot, so all modules are tested at the same time.
	ended := make([]error, flag.NArg())
	var wg sync.WaitGroup
	for i, module := range flag.Args() {
		wg.Go(func() {
			if err := run(r, filepath.Join(*root, module), strings.Fields(*flags)); err != nil {
				ended[i] = fmt.Errorf("%s: %w", module, err)
			}
		})
	}
	wg.Wait()
	listed := r.finish(os.Getenv("HARK_TEST_STRICT") == "1", regexp.MustCompile(*may))
	if err := errors.Join(append(ended, listed)...); err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
}

// run runs the tests of the module in a folder.
func run(r *report, folder string, flags []string) error {
	cmd := exec.Command("go", slices.Concat([]string{"test", "-json"}, flags, []string{"./..."})...)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := r.read(out)
	return errors.Join(readErr, cmd.Wait())
}

// A test is a test of a package, or the package itself when name is "".
type test struct{ pkg, name string }

// An event is what "go test -json" prints (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// A report prints what go test prints and collects what was skipped.
type report struct {
	mu      sync.Mutex
	out     io.Writer
	output  map[test][]string   // of tests that have not ended
	reasons map[string][]string // reason: the tests that were skipped for it
}

var (
	message = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)
	partial = regexp.MustCompile(`^skipped: (.*)`)
)

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			good := json.Unmarshal(line, &e) == nil
			r.mu.Lock()
			if good {
				r.event(e)
			} else {
				fmt.Fprintf(r.out, "%s", line)
			}
			r.mu.Unlock()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) event(e event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if m := partial.FindStringSubmatch(e.Output); m != nil {
			// Tests run at the same time, so it may be the line of another one.
			r.skipped(m[1], test{e.Package, "a part of a test"})
		}
		if e.Test != "" {
			r.output[t] = append(r.output[t], e.Output)
		} else if e.Output != "PASS\n" {
			fmt.Fprint(r.out, e.Output)
		}
	case "fail":
		fmt.Fprint(r.out, strings.Join(r.output[t], ""))
		delete(r.output, t)
	case "skip":
		if e.Test != "" {
			r.skipped(reason(r.output[t]), t)
		}
		delete(r.output, t)
	case "pass":
		delete(r.output, t)
	}
}

// reason is the message of the test that was skipped.
func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		// testscript prints its log after the reason.
		if m := message.FindStringSubmatch(output[i]); m != nil && !strings.HasPrefix(m[1], "WORK=") {
			return strings.TrimSpace(m[1])
		}
	}
	return "no reason was given"
}

func (r *report) skipped(reason string, t test) {
	reason = strings.TrimSpace(reason)
	_, short, ok := strings.Cut(t.pkg, "/hark/")
	if !ok {
		short = t.pkg
	}
	if name := short + " " + t.name; !slices.Contains(r.reasons[reason], name) {
		r.reasons[reason] = append(r.reasons[reason], name)
	}
}

// finish prints what was skipped. With HARK_TEST_STRICT, that is an error.
func (r *report) finish(strict bool, may *regexp.Regexp) error {
	for t, output := range r.output { // the process ended before they did
		fmt.Fprintf(r.out, "%s %s has not ended:\n%s", t.pkg, t.name, strings.Join(output, ""))
	}
	if len(r.reasons) == 0 {
		fmt.Fprintln(r.out, "\nnothing was skipped")
		return nil
	}
	fmt.Fprintln(r.out, "\nskipped:")
	failures := 0
	for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
		fmt.Fprintf(r.out, "  %s:\n", reason)
		for _, name := range r.reasons[reason] {
			fmt.Fprintf(r.out, "      %s\n", name)
		}
		if !may.MatchString(reason) {
			failures++
		}
	}
	if strict && failures > 0 {
		return fmt.Errorf("HARK_TEST_STRICT=1: tests were skipped for %d reasons", failures)
	}
	return nil
}
