//go:build unix

package process

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/bounded"
)

// start runs a line of shell until it has printed the number of a process that it has
// started, and returns that, the cancel function, and the channel of Run's result.
func start(t *testing.T, line string, o Options) (child int, end context.CancelFunc, result chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	cmd := Shell(ctx, line)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	result = make(chan error, 1)
	go func() {
		result <- Run(ctx, cmd, o)
		w.Close()
	}()
	text, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err = strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return child, cancel, result
}

// gone waits until a process has ended, even if its parent has not waited for it.
func gone(t *testing.T, pid int) {
	t.Helper()
	for {
		err := syscall.Kill(pid, 0)
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, syscall.ESRCH) || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// All descendants of a command end with it: those that obey the signal, those that
// ignore it, and those that outlive their shell, in their own group and, where
// processes can be listed, in hark's.
func TestRunLeavesNothing(t *testing.T) {
	for _, line := range []string{
		"sleep 1000 & echo $!; wait",
		"trap '' TERM; (trap '' TERM; exec sleep 1000) & echo $!; wait; wait",
		"(trap '' TERM; exec sleep 1000) & echo $!; trap 'exit 3' TERM; wait",
		"(sh -c 'echo $$; exec sleep 1000') & wait",
	} {
		for _, shared := range []bool{false, runtime.GOOS == "linux"} {
			child, end, result := start(t, line, Options{Grace: 200 * time.Millisecond, Shared: shared})
			end()
			if err := <-result; err == nil {
				t.Errorf("%s: no error", line)
			}
			gone(t, child)
		}
	}
}

func TestRunSendsTheSignal(t *testing.T) {
	_, end, result := start(t, "trap 'exit 7' INT; sleep 1000 & echo $!; wait", Options{
		Signal: func() os.Signal { return syscall.SIGINT }, Grace: time.Hour,
	})
	end()
	// A shell's background job ignores INT, and is killed.
	if e, ok := errors.AsType[*exec.ExitError](<-result); !ok || e.ExitCode() != 7 {
		t.Errorf("ended with %v, want 7", e)
	}
}

// Unread output is not an error, and too much output ends the command.
func TestRunOutput(t *testing.T) {
	cmd := Shell(t.Context(), "sleep 1000 & echo token")
	out := &bounded.Buffer{Limit: 100}
	cmd.Stdout = out
	if err := Run(t.Context(), cmd, Options{Drain: 10 * time.Millisecond}); err != nil || out.String() != "token\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	endless := Shell(t.Context(), "yes")
	endless.Stdout = &bounded.Buffer{Limit: 100}
	if err := Run(t.Context(), endless, Options{Drain: 10 * time.Millisecond}); err == nil {
		t.Error("endless output is not an error")
	}
}

// A program that exits at once kills its commands.
func TestRunIsRescued(t *testing.T) {
	killer, over := make(chan func(), 1), make(chan bool, 1)
	child, _, result := start(t, "trap '' TERM QUIT; (trap '' TERM QUIT; exec sleep 1000) & echo $!; wait; wait", Options{
		Rescue: func(kill func()) (done func()) {
			killer <- kill
			return func() { over <- true }
		},
	})
	(<-killer)()
	if err := <-result; err == nil {
		t.Error("no error")
	}
	<-over
	gone(t, child)
}
