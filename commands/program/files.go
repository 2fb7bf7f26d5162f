package program

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/output"
)

// Readable returns an error for a file that cannot be read; - is stdin.
func Readable(name string) error {
	if name == "-" {
		return nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", name)
	}
	if !info.Mode().IsRegular() { // opening it may block
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

// Open opens a file that a flag names; - is stdin.
func (p *Program) Open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	return os.Open(name)
}

// WriteLine prints one record.
func WriteLine(w io.Writer, line []byte) error {
	if _, err := w.Write(append(line, '\n')); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}

// Flushed flushes w. Its error is an *output.WriteError.
func Flushed(w *bufio.Writer) error {
	if err := w.Flush(); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}

// StateFolder returns the folder for state: $XDG_STATE_HOME/hark or, if that is not
// set, the configuration folder.
func (p *Program) StateFolder() (string, error) {
	if dir, ok := p.LookupEnv("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hark"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", cmdline.Usagef("no place for logins: neither XDG_STATE_HOME nor HOME is set")
	}
	return filepath.Join(dir, "hark"), nil
}

// Append opens a file for appending, which only its owner may read. It stays open until
// the program ends.
func (p *Program) Append(path string) (io.Writer, error) {
	if p.AddTo != nil {
		return p.AddTo(path)
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
