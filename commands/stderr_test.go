package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/hark-cli/hark/output"
)

// Nobody reads stderr, and everything that is told goes there. Events are printed all
// the same, time limits hold, and the program ends.
func TestStderrThatNobodyReads(t *testing.T) {
	for _, status := range []string{"text", "json"} {
		t.Run(status, func(t *testing.T) {
			r, w := io.Pipe()
			defer r.Close()
			var stdout bytes.Buffer
			code := Main(strings.Fields("drogue tail --emulator demo-app -n 5 -v --status "+status), Env{
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: w,
				LookupEnv: func(string) (string, bool) { return "", false },
				Environ:   os.Environ, Screen: func() (int, int) { return 80, 24 },
				Hangup: func(ctx context.Context, gone func()) { <-ctx.Done() },
			})
			if lines := strings.Count(stdout.String(), "\n"); code != 0 || lines != 5 {
				t.Errorf("exit code %d, %d events", code, lines)
			}
		})
	}
}

// With --status json, what is said about lost lines is a record like the others.
func TestLostRecordsAreARecord(t *testing.T) {
	j := &journal{service: "connect", redact: func(b []byte) []byte { return b }, written: func() output.Counts { return output.Counts{} }}
	for lines, want := range map[int]string{
		1: "1 line was not written to stderr, which was not read in time",
		7: "7 lines were not written to stderr, which was not read in time",
	} {
		var r statusRecord
		line := j.lost("stderr")(lines)
		if err := json.Unmarshal(line, &r); err != nil || r.Status != "warning" || r.Text != want || r.Service != "connect" {
			t.Errorf("%s: %v", line, err)
		}
	}
}
