package cursor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// format and version are in each file. A version with another meaning gets another number.
const (
	format  = "hark-cursor"
	version = 1
)

// maxSize is the size of the largest file that is read, in bytes.
const maxSize = 256 << 20

// A State is what a file contains.
type State struct {
	// Service is the name of the service, and Streams what of it the position is in.
	Service string   `json:"service"`
	Streams []string `json:"streams"`
	// Saved is when the file was written, and At the time, by the clock of this machine,
	// up to which everything that was received is done.
	Saved time.Time `json:"saved"`
	At    time.Time `json:"at"`
	// Secret are the members of Position whose values are credentials.
	Secret []string `json:"secret,omitempty"`
	// IDs are those of the last events that are done, oldest first.
	IDs []string `json:"ids,omitempty"`
	// Position is a value of the service; null before there is one.
	Position json.RawMessage `json:"position"`
}

// document is the form of a file.
type document struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	State
}

// ErrInUse is the error of a file that another process has opened.
var ErrInUse = errors.New("in use by another hark")

// A FormatError is a file that is not a cursor.
type FormatError struct {
	Path string
	Err  error
}

func (e *FormatError) Error() string { return e.Path + ": not a cursor: " + e.Err.Error() }
func (e *FormatError) Unwrap() error { return e.Err }

// A File is an open cursor, which no other process can open meanwhile. It is for one
// goroutine.
type File struct {
	path string
	lock *os.File
}

// Open opens a file and reads it; the state is nil if there is no file yet. It creates
// the folder's file PATH.lock, whose lock lasts as long as the process, and makes sure
// that the cursor can be written. The error is that of the system, a *FormatError, or
// ErrInUse with the path.
func Open(path string) (f *File, s *State, err error) {
	path, err = resolve(path)
	if err != nil {
		return nil, nil, err
	}
	if f, err = lock(path); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			f = nil
		}
	}()
	if s, err = Read(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, nil, err
	}
	probe, err := f.create()
	if err != nil {
		return f, nil, err
	}
	return f, s, errors.Join(probe.Close(), os.Remove(f.fresh()))
}

// resolve follows symbolic links: it is the file that is replaced, not the link.
func resolve(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: not a regular file", path)
	}
	return filepath.EvalSymlinks(path)
}

// lock acquires the lock of a path.
func lock(path string) (*File, error) {
	l, ok, err := tryLock(path + ".lock")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	}
	return &File{path: path, lock: l}, nil
}

// Read reads a file, whether it is open or not.
func Read(path string) (*State, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	s, err := parse(b)
	if err != nil {
		return nil, &FormatError{path, err}
	}
	return s, nil
}

func parse(b []byte) (*State, error) {
	var d document
	switch err := json.Unmarshal(b, &d); {
	case len(b) == 0:
		return nil, errors.New("the file is empty")
	case len(b) > maxSize:
		return nil, errors.New("the file is too large")
	case err != nil && begins(b):
		return nil, errors.New("the file is damaged: its end is missing, or it was changed")
	case err != nil || d.Format != format:
		return nil, errors.New("the file contains something else")
	case d.Version != version:
		return nil, fmt.Errorf("its version is %d, which this hark does not know", d.Version)
	case d.Service == "":
		return nil, errors.New("the name of the service is missing")
	}
	return &d.State, nil
}

// begins reports whether b begins as a cursor does.
func begins(b []byte) bool { return bytes.HasPrefix(b, []byte(`{"format":"`+format+`"`)) }

// Save replaces the content of the file: whatever happens meanwhile, the file has the
// old content or the new one. It returns when the new one is on the disk.
func (f *File) Save(s State) error {
	b, err := json.Marshal(document{format, version, s})
	if err != nil {
		return err
	}
	fresh, err := f.create()
	if err != nil {
		return err
	}
	_, err = fresh.Write(append(b, '\n'))
	if err == nil {
		err = fresh.Sync()
	}
	if err = errors.Join(err, fresh.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.fresh(), f.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

// fresh is the path of the file that takes the place of the cursor. Only the one that has
// the lock writes it, so it needs no name of its own for each process.
func (f *File) fresh() string { return f.path + ".new" }

// create creates that file. What an interrupted Save has left, or someone else has put
// there, is removed first: it may be a link, or readable by others.
func (f *File) create() (*os.File, error) {
	if err := os.Remove(f.fresh()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(f.fresh(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// syncFolder waits until the entries of a folder are on the disk, where the system can
// do that.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close releases the lock.
func (f *File) Close() { _ = f.lock.Close() }

// Reset removes a file that is not in use, and what an interrupted Save has left. A file
// that does not begin as a cursor does is left alone, with a *FormatError.
func Reset(path string) error {
	path, err := resolve(path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) > 0 && !begins(b) {
		return &FormatError{path, errors.New("the file contains something else")}
	}
	f, err := lock(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.fresh()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
