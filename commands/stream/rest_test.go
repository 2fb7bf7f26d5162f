package stream

import (
	"errors"
	"strings"
	"testing"
)

func TestInputLines(t *testing.T) {
	lines, failed := InputLines(t.Context(), strings.NewReader("a\r\n\n\xff\n\nlast"))
	var got []string
	for l := range lines {
		got = append(got, string(rune('0'+l.Number))+":"+string(l.Text))
	}
	if err := <-failed; err != nil || strings.Join(got, " ") != "1:a 3:\xff 5:last" {
		t.Errorf("%q, %v", got, err)
	}
	broken := errors.New("broken")
	lines, failed = InputLines(t.Context(), brokenReader{broken})
	if _, ok := <-lines; ok || !errors.Is(<-failed, broken) {
		t.Error("an error was taken for the end")
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }
