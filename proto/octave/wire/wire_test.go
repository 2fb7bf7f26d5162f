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

// Every message of the vendor's documents and of their public code is decoded and
// encoded without loss.
func TestVectors(t *testing.T) {
	vectors.RoundTrip(t, "../testdata",
		vectors.Shape{Prefix: "request-", Value: Request{}},
		vectors.Shape{Prefix: "event-", Value: Event{}},
		vectors.Shape{Prefix: "session-", Value: Answer{}},
		vectors.Shape{Value: Message{}},
	)
}

// Members are encoded in the order of the documents.
func TestMemberOrder(t *testing.T) {
	a, err := txtar.ParseFile("../testdata/vendor.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range a.Files {
		var v any
		switch {
		case filepath.Ext(file.Name) != ".json":
			continue
		case strings.HasPrefix(file.Name, "request-"):
			v = new(Request)
		default:
			v = new(Message)
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

func TestSocketPath(t *testing.T) {
	file, ok := vectors.Files(t, "../testdata")["socket-url.txt"]
	if !ok {
		t.Fatal("no address in the document")
	}
	got := "wss" + strings.TrimPrefix(Endpoint, "https") +
		SocketPath("n2fBC9YeE6g.rQzrm_RDmpaiDKcyAYEwzZnQ9EU6ukN5")
	if got != string(file) {
		t.Errorf("got %s, want %s", got, file)
	}
}
