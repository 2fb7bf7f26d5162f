package program

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/terminal"
)

// PromptUnseen is Prompt without echo.
func (p *Program) PromptUnseen(ctx context.Context, prompt string) (string, error) {
	if !p.Person() {
		return p.Prompt(ctx, prompt)
	}
	stdin := p.Stdin.(*os.File)
	before, err := terminal.ModeOf(stdin)
	if err != nil {
		return "", fmt.Errorf("the terminal: %w", err)
	}
	defer before.Set(stdin)
	// Not with term.ReadPassword, which would echo what is typed before it is called,
	// and disable echo permanently if it is called after an interruption.
	if err := terminal.HideInput(stdin); err != nil {
		return "", fmt.Errorf("the terminal: %w", err)
	}
	defer fmt.Fprintln(p.Stderr)
	fmt.Fprint(p.Stderr, prompt)
	return answered(ctx, func() (string, error) { return readLine(p.Stdin) })
}

// Prompt reads a line from stdin, after a prompt if stdin is a terminal; "" at the end
// of stdin.
func (p *Program) Prompt(ctx context.Context, prompt string) (string, error) {
	if p.Person() {
		fmt.Fprint(p.Stderr, prompt)
	}
	return answered(ctx, func() (string, error) { return readLine(p.Stdin) })
}

// answered waits for read, whose result it trims, or until ctx is done.
func answered(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1) // a read of stdin cannot be interrupted
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return strings.TrimSpace(r.line), r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Person reports whether stdin is a terminal.
func (p *Program) Person() bool {
	f, ok := p.Stdin.(*os.File)
	return ok && terminal.Is(f)
}

// readLine reads a line and not a byte more, which may be for another program.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF):
			return string(line), nil
		case n == 1 && len(line) < bounded.Secret:
			line = append(line, b[0])
		case err != nil:
			return "", fmt.Errorf("reading stdin: %w", err)
		}
	}
}

// StdinLines reads lines of stdin, however long.
func (p *Program) StdinLines() func() (string, error) {
	in := bufio.NewReader(p.Stdin)
	return func() (string, error) {
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return "", err
		}
		return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
	}
}
