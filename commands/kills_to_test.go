//go:build unix

package commands

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// An arrival is one event at a destination.
type arrival struct {
	N  int    `json:"n"`
	ID string `json:"id"`
}

// A killed destination reports what has arrived, as far as it is complete.
type killedDestination struct {
	to     string   // of --to; "" for stdout
	stdout *os.File // what hark prints goes there
	got    func() []arrival
}

// readArrivals reads complete lines.
func readArrivals(t *testing.T, path string) (list []arrival) {
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var a arrival
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, a)
	}
	return list
}

func toFile(t *testing.T, folder string) *killedDestination {
	path := filepath.Join(folder, "events")
	return &killedDestination{to: "file:" + path, got: func() []arrival { return readArrivals(t, path) }}
}

func toServer(t *testing.T, _ string) *killedDestination {
	var mu sync.Mutex
	var list []arrival
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a arrival
		b, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(b, &a) != nil {
			return // of a client that was killed
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, a)
	}))
	t.Cleanup(server.Close)
	return &killedDestination{to: server.URL, got: func() []arrival {
		mu.Lock()
		defer mu.Unlock()
		return list[:len(list):len(list)]
	}}
}

func toCommand(t *testing.T, folder string) *killedDestination {
	path := filepath.Join(folder, "events")
	// One write for each event, so that no line is torn; none if hark was killed before it
	// has written the event.
	return &killedDestination{to: `exec:read -r e; [ -n "$e" ] && echo "$e" >>` + path, got: func() []arrival { return readArrivals(t, path) }}
}

func toStdout(t *testing.T, folder string) *killedDestination {
	path := filepath.Join(folder, "events")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &killedDestination{stdout: f, got: func() []arrival { return readArrivals(t, path) }}
}
