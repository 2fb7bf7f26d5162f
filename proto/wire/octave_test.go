package wire

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/vectors"
	"golang.org/x/tools/txtar"
)

// Every message of the vendor's documents and of their public code survives the shapes.
func TestOctaveVectors(t *testing.T) {
	vectors.RoundTrip(t, "../testdata/octave",
		vectors.Shape{Prefix: "request-", Value: OctaveRequest{}},
		vectors.Shape{Prefix: "event-", Value: OctaveEvent{}},
		vectors.Shape{Prefix: "session-", Value: OctaveAnswer{}},
		vectors.Shape{Value: OctaveMessage{}},
	)
}

// The documents print members in a certain order, and so do the shapes.
func TestOctaveMemberOrder(t *testing.T) {
	a, err := txtar.ParseFile("../testdata/octave/vendor.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range a.Files {
		var v any
		switch {
		case filepath.Ext(file.Name) != ".json":
			continue
		case strings.HasPrefix(file.Name, "request-"):
			v = new(OctaveRequest)
		default:
			v = new(OctaveMessage)
		}
		if err := json.Unmarshal(file.Data, v); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, file.Data); err != nil {
			t.Fatal(err)
		}
		if string(got) != want.String() {
			t.Errorf("%s:\n got %s\nwant %s", file.Name, got, want.String())
		}
	}
}

func TestOctaveSocketPath(t *testing.T) {
	file, ok := vectors.Files(t, "../testdata/octave")["socket-url.txt"]
	if !ok {
		t.Fatal("no address in the document")
	}
	got := "wss" + strings.TrimPrefix(OctaveEndpoint, "https") +
		OctaveSocketPath("n2fBC9YeE6g.rQzrm_RDmpaiDKcyAYEwzZnQ9EU6ukN5")
	if got != string(file) {
		t.Errorf("got %s, want %s", got, file)
	}
}
