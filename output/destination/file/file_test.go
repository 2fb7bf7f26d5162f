package file

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/output/destination"
)

func records(at time.Time, texts ...string) []destination.Record {
	var list []destination.Record
	for _, text := range texts {
		list = append(list, destination.Record{Received: at, Data: []byte(text)})
	}
	return list
}

func deliver(t *testing.T, d *Destination, list []destination.Record) []error {
	t.Helper()
	results := make([]error, len(list))
	d.Deliver(t.Context(), list, results)
	return results
}

// A last line that is not complete is cut off, however long it is.
func TestTornLine(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, tt := range []struct {
		before, after string
		torn          int64
	}{
		{"", "", 0},
		{"a\nb\n", "a\nb\n", 0},
		{"a\nb", "a\n", 1},
		{"torn", "", 4},
		{"a\n" + long, "a\n", 200_000},
		{long + "\n" + long, long + "\n", 200_000},
		{"\n", "\n", 0},
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
			t.Fatal(err)
		}
		var torn int64
		d, err := New(Options{Path: path, Sync: true, Torn: func(_ string, n int64) { torn = n }})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range deliver(t, d, records(time.Time{}, "{}", "[]")) {
			if err != nil {
				t.Error(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != tt.after+"{}\n[]\n" || torn != tt.torn {
			t.Errorf("%.20q: %.40q, %d bytes cut off, %v", tt.before, b, torn, err)
		}
	}
}

func TestDaily(t *testing.T) {
	folder := t.TempDir()
	if _, err := New(Options{Path: filepath.Join(folder, "x"), Daily: true}); err == nil {
		t.Error("a path without a date is taken")
	}
	d, err := New(Options{Path: filepath.Join(folder, "{date}-%Y.ndjson"), Daily: true, Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	evening := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	zone := time.FixedZone("", 3*3600)
	list := append(records(evening, "1", "2"), records(evening.Add(time.Second).In(zone), "3")...)
	for _, err := range deliver(t, d, list) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"2026-11-30-%Y.ndjson": "1\n2\n", "2026-12-01-%Y.ndjson": "3\n"} {
		if b, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// The date may be in the name of a folder, which is made; one without it has to be there.
func TestDailyFolders(t *testing.T) {
	folder := t.TempDir()
	d, err := New(Options{Path: filepath.Join(folder, "a{date}", "{date}", "events"), Daily: true, Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, err := range deliver(t, d, append(records(at, "1"), records(at.AddDate(0, 0, 1), "2")...)) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a2026-11-30/2026-11-30/events": "1\n", "a2026-12-01/2026-12-01/events": "2\n"} {
		if b, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name))); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(folder, "none", "{date}"), filepath.Join(folder, "none", "{date}", "x"), filepath.Join(file, "{date}")} {
		if _, err := New(Options{Path: path, Daily: true}); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}

// What is not a regular file is written to as it is; a full disk is the end.
func TestDevices(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/dev/full is Linux's")
	}
	d, err := New(Options{Path: "/dev/null", Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	if results := deliver(t, d, records(time.Time{}, "1")); results[0] != nil {
		t.Error(results[0])
	}
	if d, err = New(Options{Path: "/dev/full"}); err != nil {
		t.Fatal(err)
	}
	results := deliver(t, d, records(time.Time{}, "1", "2"))
	if _, ok := results[0].(*destination.FatalError); !ok || results[1] != destination.ErrNotTried {
		t.Errorf("%v", results)
	}
}

func TestPathThatCannotBeWritten(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none", "f")} {
		if _, err := New(Options{Path: path}); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}
