// Package vectors reads messages from the vendors' documents and public code, for
// tests: txtar archives, one folder per service, each of which cites its source.
package vectors

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Files returns the files of the archives in a folder by name, without the white space
// around them.
func Files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	archives, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives in %s: %v", dir, err)
	}
	files := make(map[string][]byte)
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(a.Comment, []byte("Source")) {
			t.Errorf("%s cites no source", name)
		}
		for _, f := range a.Files {
			files[f.Name] = bytes.TrimSpace(f.Data)
		}
	}
	return files
}

// A Shape is the Go type, as a value of it, of the messages whose names begin with
// Prefix.
type Shape struct {
	Prefix string
	Value  any
}

// RoundTrip checks that every message of a folder is the same JSON when it is decoded
// and encoded again, with the first Shape that matches its name.
func RoundTrip(t *testing.T, dir string, shapes ...Shape) {
	for name, data := range Files(t, dir) {
		if filepath.Ext(name) != ".json" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, s := range shapes {
				if strings.HasPrefix(name, s.Prefix) {
					roundTrip(t, data, s.Value)
					return
				}
			}
			t.Fatal("no shape for this message")
		})
	}
}

func roundTrip(t *testing.T, data []byte, shape any) {
	v := reflect.New(reflect.TypeOf(shape))
	if err := json.Unmarshal(data, v.Interface()); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decode(t, data), decode(t, b)); diff != "" {
		t.Errorf("%T: -document +encoded\n%s", shape, diff)
	}
}

// decode decodes any JSON value, with numbers as json.Number.
func decode(t *testing.T, b []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}
