//go:build unix

package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// webhook is a server for the scripts: "webhook PORT FILE ANSWER…" appends posted bodies to
// FILE and gives one ANSWER after the other, then 204. An answer is a status; STATUS/SECONDS
// with Retry-After; "half" for a body that is cut off, "nothing" for none at all. Bodies
// that are not accepted are appended to FILE.refused, and headers to FILE.headers.
func webhook(args []string) int {
	listener, err := net.Listen("tcp", "127.0.0.1:"+args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	answers := args[2:]
	var mu sync.Mutex
	fmt.Println("listening")
	err = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answer, file := "204", args[1]
		if len(answers) > 0 {
			answer, answers = answers[0], answers[1:]
		}
		status, after, _ := strings.Cut(answer, "/")
		code, _ := strconv.Atoi(status) // 0 for a word
		if code/100 != 2 {
			file += ".refused"
		}
		var headers bytes.Buffer
		err := errors.Join(r.Header.Write(&headers), appendFrom(args[1]+".headers", &headers), appendFrom(file, r.Body))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			answer, code = "", http.StatusTeapot
		}
		switch answer {
		case "half":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
			return
		case "nothing":
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
			return
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(code)
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func appendFrom(name string, r io.Reader) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

// A ciStep is a step that a CI system runs in a shell.
type ciStep struct {
	run    string
	always bool // also after a step that has failed
}

// A workflow has the parts of a file for GitHub Actions that the examples use.
type workflow struct {
	Name        string
	On          map[string]yaml.Node
	Permissions map[string]string
	Jobs        map[string]struct {
		RunsOn  string `yaml:"runs-on"`
		Timeout int    `yaml:"timeout-minutes"`
		Steps   []struct {
			Name, If, Uses, Run string
			With                map[string]string
		}
	}
}

// A gitlabJob has the parts of a job for GitLab CI that the examples use.
type gitlabJob struct {
	Image, Timeout string
	Before         []string `yaml:"before_script"`
	Script         []string
	Artifacts      struct {
		When    string
		Reports map[string]string
	}
}

// ciSteps parses a file for GitHub Actions or GitLab CI with one job. A key that the
// examples do not use is an error, so that a misspelled one is found.
func ciSteps(data []byte) ([]ciStep, error) {
	strict := func(to any) error {
		d := yaml.NewDecoder(bytes.NewReader(data))
		d.KnownFields(true)
		return d.Decode(to)
	}
	var keys map[string]yaml.Node
	if err := yaml.Unmarshal(data, &keys); err != nil {
		return nil, err
	}
	var steps []ciStep
	if _, ok := keys["jobs"]; ok {
		var w workflow
		if err := strict(&w); err != nil || len(w.Jobs) != 1 {
			return nil, fmt.Errorf("%d jobs: %w", len(w.Jobs), err)
		}
		for _, job := range w.Jobs {
			for _, s := range job.Steps {
				if (s.Run == "") == (s.Uses == "") {
					return nil, fmt.Errorf("step %q has to have either run or uses", s.Name)
				}
				if s.Run != "" {
					steps = append(steps, ciStep{s.Run, s.If == "always()"})
				}
			}
		}
		return steps, nil
	}
	var jobs map[string]gitlabJob
	if err := strict(&jobs); err != nil || len(jobs) != 1 {
		return nil, fmt.Errorf("%d jobs: %w", len(jobs), err)
	}
	for _, job := range slices.Collect(maps.Values(jobs)) {
		for _, line := range append(job.Before, job.Script...) {
			steps = append(steps, ciStep{run: line})
		}
		for kind, file := range job.Artifacts.Reports {
			steps = append(steps, ciStep{fmt.Sprintf("test -s %s # the %s report", file, kind), true})
		}
	}
	return steps, nil
}

// runCI runs the steps of a CI system: "ci-job FILE". It skips the installation of hark
// and uses that of the tests.
func runCI(file string) int {
	const install = "go install github.com/hark-cli/hark@latest"
	data, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	steps, err := ciSteps(data)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
		return 1
	}
	installed, code := false, 0
	for _, s := range steps {
		if strings.TrimSpace(s.run) == install {
			installed = true
			continue
		}
		if code != 0 && !s.always {
			continue
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.run)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && code == 0 {
			code = exit.ExitCode()
		} else if err != nil && !ok {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if !installed {
		fmt.Fprintf(os.Stderr, "%s: there is no step %q\n", file, install)
		return 1
	}
	return code
}
