package cursor

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func state(position string) State {
	return State{
		Service: "octave", Streams: []string{"/a"}, Saved: noon, At: noon.Add(-time.Second),
		Secret: []string{"session"}, IDs: []string{"1", "2"}, Position: json.RawMessage(position),
	}
}

func open(t *testing.T, path string) (*File, *State) {
	t.Helper()
	f, s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, s
}

// What was saved is read again, by this process and by others, also through a link.
func TestFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "position")
	f, s := open(t, path)
	if s != nil {
		t.Errorf("a file that is not there contains %+v", s)
	}
	for _, position := range []string{`{"n":1}`, `{"n":22}`, `3`} {
		want := state(position)
		if err := f.Save(want); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Error(diff)
		}
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	f.Close()

	link := filepath.Join(folder, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	f, s = open(t, link)
	if s == nil || string(s.Position) != "3" {
		t.Errorf("through the link: %+v", s)
	}
	if err := f.Save(state("4")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 { // with the lock
		t.Errorf("%v, %v", entries, err)
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	f, _ := open(t, path)
	if _, _, err := Open(path); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("opened twice: %v", err)
	}
	if err := f.Save(state("1")); err != nil { // which replaces the file
		t.Fatal(err)
	}
	if _, _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice after a save: %v", err)
	}
	if err := Reset(path); !errors.Is(err, ErrInUse) {
		t.Errorf("removed: %v", err)
	}
	f.Close()
	if _, s := open(t, path); s == nil {
		t.Error("nothing was saved")
	}
}

// Whatever is cut off of a file, or is another file, is an error and never a start
// without a position.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	f, _ := open(t, path)
	if err := f.Save(state(`{"a":"b"}`)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string]string{
		"":                        "the file is empty",
		"hello\n":                 "the file contains something else",
		`{"a":1}`:                 "the file contains something else",
		`[1]`:                     "the file contains something else",
		`{"format":"hark-cursor"`: "the file is damaged",
		`{"format":"hark-cursor","version":2,"service":"x"}`: "its version is 2",
		`{"format":"hark-cursor","version":1}`:               "the name of the service is missing",
		string(whole) + "x":                                  "the file is damaged",
	}
	for n := 1; n < len(whole)-1; n++ {
		damaged[string(whole[:n])] = "the file "
	}
	for text, want := range damaged {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Open(path)
		e, ok := errors.AsType[*FormatError](err)
		if !ok || !strings.HasPrefix(e.Err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Problems of the system are found before anything is lost.
func TestFileErrors(t *testing.T) {
	folder := t.TempDir()
	if _, _, err := Open(filepath.Join(folder, "missing", "position")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	path := filepath.Join(folder, "position")
	if err := os.MkdirAll(path+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path); err == nil {
		t.Error("opened, although it cannot be written")
	}
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	f, _ := open(t, path) // the failed attempt has released the lock
	if err := f.Save(state("1")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(state("2")); err == nil {
		t.Error("saved, although it cannot be written")
	}
	if s, err := Read(path); err != nil || string(s.Position) != "1" {
		t.Errorf("the old content is gone: %+v, %v", s, err)
	}
}

func TestReset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	if err := Reset(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for text, ok := range map[string]bool{
		"":                             true,
		`{"format":"hark-cursor","ver`: true, // damaged: this is what helps
		"notes":                        false,
	} {
		for _, suffix := range []string{"", ".new"} {
			if err := os.WriteFile(path+suffix, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := Reset(path)
		_, gone := os.Stat(path)
		if (err == nil) != ok || errors.Is(gone, fs.ErrNotExist) != ok {
			t.Errorf("%q: %v, %v", text, err, gone)
		}
		if _, err := os.Stat(path + ".new"); errors.Is(err, fs.ErrNotExist) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is in the way of the new content is replaced, not written to.
func TestSaveThroughLink(t *testing.T) {
	folder := t.TempDir()
	path, other := filepath.Join(folder, "position"), filepath.Join(folder, "other")
	if err := os.WriteFile(other, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ := open(t, path)
	if err := os.Symlink(other, path+".new"); err != nil {
		t.Skip(err)
	}
	if err := f.Save(state("1")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "keep" {
		t.Errorf("%q, %v", b, err)
	}
	if s, err := Read(path); err != nil || string(s.Position) != "1" {
		t.Errorf("%+v, %v", s, err)
	}
}
