//go:build unix

package commands

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptOnTerminal runs a command with a terminal as stdout. Its output is available to
// the following commands, without the carriage returns that a terminal adds.
func scriptOnTerminal(ts *testscript.TestScript, neg bool, args []string) {
	scriptUse(ts, neg, args, 2, "on-terminal CODE CMD…")
	cmd := scriptCommand(ts, args[1:])
	master, terminal, err := pty.Open()
	ts.Check(err)
	defer master.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = terminal, &stderr
	err = cmd.Start()
	terminal.Close()
	ts.Check(err)
	// The end is an error: no process has the terminal open any more.
	text, _ := io.ReadAll(master)
	err = cmd.Wait()
	fmt.Fprint(ts.Stdout(), strings.ReplaceAll(string(text), "\r\n", "\n"))
	fmt.Fprint(ts.Stderr(), stderr.String())
	checkExit(ts, args[1], args[0], err)
}
