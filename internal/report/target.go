package report

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A Target is the format of a report, and its file.
type Target struct{ Kind, Path string }

// ErrTarget is returned by ParseTarget for an invalid text.
var ErrTarget = errors.New("expected junit=FILE, tap=FILE or json=FILE")

// ParseTarget parses a Target of the form KIND=FILE. The error is ErrTarget.
func ParseTarget(text string) (Target, error) {
	kind, path, ok := strings.Cut(text, "=")
	if !ok || encoder(kind) == nil || path == "" {
		return Target{}, ErrTarget
	}
	return Target{kind, path}, nil
}

// Resolved returns t with symbolic links resolved, so that writing does not replace a
// link.
func (t Target) Resolved() Target {
	if link, err := filepath.EvalSymlinks(t.Path); err == nil && !device(t.Path) {
		t.Path = link
	}
	return t
}

// Write writes the report completely or not at all.
func (t Target) Write(r *Run) error {
	var b bytes.Buffer
	if err := encoder(t.Kind)(&b, r); err != nil {
		return err
	}
	return writeFile(t.Path, b.Bytes())
}

// encoder returns the function that writes a kind of report, nil for an unknown one.
func encoder(kind string) func(io.Writer, *Run) error {
	switch kind {
	case "junit":
		return writeJUnit
	case "tap":
		return writeTAP
	case "json":
		return writeJSON
	}
	return nil
}

// device reports whether path is special, such as /dev/stderr: it is written to
// directly, even if it is redirected to a regular file.
func device(path string) bool {
	path, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/"))
}

// replaceable reports whether path can be replaced by a rename, unlike a device or a
// pipe.
func replaceable(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case device(path):
		return false, err
	case errors.Is(err, os.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, &os.PathError{Op: "open", Path: path, Err: errors.New("is a folder")}
	}
	return info.Mode().IsRegular(), nil
}

// Check returns an error if the file cannot be written. It leaves no file.
func (t Target) Check() error {
	path := t.Path
	replace, err := replaceable(path)
	if err != nil || !replace {
		return err
	}
	f, err := temporary(path)
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// temporary creates a file in the folder of path, for a rename to path.
func temporary(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = &os.PathError{Op: "open", Path: path, Err: e.Err}
		}
		return nil, err
	}
	return f, nil
}

// writeFile writes a file completely or not at all, readable by all users, because
// other programs collect reports.
func writeFile(path string, data []byte) error {
	replace, err := replaceable(path)
	if err != nil {
		return err
	}
	if !replace {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	f, err := temporary(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
