package lineedit

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// A History is a file of lines that only its owner can read.
type History struct{ path string }

// historyLimit is the maximum number of lines of a history.
const historyLimit = 1000

// OpenHistory reads a history, the oldest line first. It creates folder and file if
// they do not exist, and truncates a file that is much longer than the limit.
func OpenHistory(path string) (*History, []string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return nil, nil, err
	}
	var lines []string
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines = append(lines, line)
		}
		if err != nil {
			break
		}
	}
	h := &History{path}
	if len(lines) > 2*historyLimit {
		lines = lines[len(lines)-historyLimit:]
		if err := h.rewrite(lines); err != nil {
			return nil, nil, err
		}
	}
	return h, lines[max(0, len(lines)-historyLimit):], nil
}

// rewrite replaces the file by one with these lines.
func (h *History) rewrite(lines []string) error {
	f, err := os.CreateTemp(filepath.Dir(h.path), ".history") // for its owner only
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), h.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Add appends a line.
func (h *History) Add(line string) error {
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
