package output

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hark-cli/hark/proto"
)

// A pipe gets room for a large record and its end, which then need not wait for its
// reader; for small ones it stays as it is, and one that is larger is left alone.
func TestPipeHoldsALargeRecord(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	size := func() int {
		n, _, err := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), getPipeSize, 0)
		if err != 0 {
			t.Fatal(err)
		}
		return int(n)
	}
	put := func(out *Writer, length int) {
		t.Helper()
		ev := proto.Event{Message: proto.Message{Data: []byte(`"` + strings.Repeat("x", length) + `"`)}}
		if err := out.Event(&ev); err != nil {
			t.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	usual := size()
	out := New(NewPipe(w), Options{})
	if put(out, 100); size() != usual {
		t.Errorf("%d bytes after a small record, want %d", size(), usual)
	}
	buf := make([]byte, 4096)
	if _, err := r.Read(buf); err != nil {
		t.Fatal(err)
	}
	go func() { // if there is no room, the test fails instead of waiting
		for {
			if _, err := r.Read(buf); err != nil {
				return
			}
		}
	}()
	if put(out, bufferSize); size() <= bufferSize {
		t.Errorf("%d bytes after a record of more than %d", size(), bufferSize)
	}
	growPipe(w, 8*bufferSize)
	larger := size()
	if put(New(NewPipe(w), Options{}), bufferSize); size() != larger {
		t.Errorf("%d bytes instead of %d", size(), larger)
	}
}
