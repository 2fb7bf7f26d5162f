package proto

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/freeport"
)

// autobahnSubset lists the cases of "make test": all but most of those that send a
// thousand compressed messages each.
const autobahnSubset = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*," +
	"12.1.1,12.1.4,12.2.1,12.2.4,12.3.1,12.3.4,12.4.1,12.4.4,12.5.1,12.5.4," +
	"13.1.1,13.1.4,13.2.1,13.2.4,13.3.1,13.4.1,13.5.1,13.6.1,13.7.1,13.7.4"

// serverPatience is how long the fuzzing server may take to listen, on a loaded machine.
const serverPatience = 5 * time.Minute

// startAutobahn starts the fuzzing server of the Autobahn test suite that "make deps"
// has installed. verdicts, to be called after the reports are written, logs the number
// of each verdict and returns the cases that were not closed correctly.
func startAutobahn(t *testing.T, cases string, patience int) (url string, verdicts func() map[string]string, stop func()) {
	t.Helper()
	program, err := filepath.Abs("../.deps/autobahn/serve")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip(`the Autobahn test suite is missing: run "make deps", or let AUTOBAHN_URL name its fuzzing server`)
	}
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	address, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.ArtifactDir(), strconv.Itoa(patience))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(map[string]any{
		"url": "ws://" + address, "outdir": folder, "exclude-cases": []string{}, "exclude-agent-cases": map[string]any{},
		"cases": strings.Split(cases, ","),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "spec.json")
	if err := os.WriteFile(file, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(folder, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, file)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, log, log
	cmd.Env = append(os.Environ(), "AUTOBAHN_PATIENCE="+strconv.Itoa(patience))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(serverPatience); ; time.Sleep(100 * time.Millisecond) {
		if resp, err := http.Get("http://" + address); err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the fuzzing server does not listen:\n%s", text)
		}
	}
	return "ws://" + address, func() map[string]string { return autobahnVerdicts(t, filepath.Join(folder, "index.json")) }, stop
}

// autobahnVerdicts reads the report for hark.
func autobahnVerdicts(t *testing.T, file string) (failed map[string]string) {
	t.Helper()
	var report map[string]map[string]struct{ Behavior, BehaviorClose string }
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil || len(report["hark"]) == 0 {
		t.Fatalf("the report of the test suite: %v", err)
	}
	failed = make(map[string]string)
	count := make(map[string]int)
	for name, verdict := range report["hark"] {
		count[verdict.Behavior]++
		switch verdict.BehaviorClose {
		case "OK", "INFORMATIONAL", "UNIMPLEMENTED":
		default:
			failed[name] = fmt.Sprintf("case %s closed: %s", name, verdict.BehaviorClose)
		}
	}
	for _, verdict := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%d cases %s", count[verdict], verdict)
	}
	return failed
}
