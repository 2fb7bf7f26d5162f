package commands

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/hark-cli/hark/commands/program"
)

// With a stderr that is not read, and verbose output on it, events are printed, time
// limits apply, and the program ends.
func TestStderrThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"text", "json"} {
		t.Run(status, func(t *testing.T) {
			r, w := io.Pipe()
			defer r.Close()
			var stdout bytes.Buffer
			code := Main(strings.Fields("drogue tail --emulator demo-app -n 5 -v --status "+status), program.Env{
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
