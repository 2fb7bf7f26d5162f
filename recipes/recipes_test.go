package recipes

import (
	"slices"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/transcript"
)

// Each recipe has a transcript that says how a happy run goes, what a refusal, a
// heartbeat, a lost connection and odd messages do, and what its emulator plays.
func TestTranscripts(t *testing.T) {
	if len(Names()) < 4 {
		t.Errorf("%v", Names())
	}
	for _, name := range Names() {
		text, ok := Transcript(name)
		if !ok {
			t.Errorf("%s has no transcript", name)
			continue
		}
		f, err := transcript.Parse(name+".txt", text)
		if err != nil {
			t.Error(err)
			continue
		}
		if f.Live() == nil {
			t.Errorf("%s: no case has # live", name)
		}
		var cases []string
		kinds := make(map[transcript.Kind]int)
		for _, c := range f.Cases {
			cases = append(cases, c.Name)
			for _, s := range c.Steps {
				kinds[s.Kind]++
			}
		}
		for _, want := range []string{"happy", "heartbeat", "odd messages"} {
			if !slices.Contains(cases, want) {
				t.Errorf("%s: no case %q", name, want)
			}
		}
		if kinds[transcript.Exit] == 0 || kinds[transcript.Cut]+kinds[transcript.Close] == 0 || kinds[transcript.Pass] == 0 {
			t.Errorf("%s: a refusal, a lost connection or a heartbeat is missing", name)
		}
		if _, ok := Source(name); !ok {
			t.Errorf("%s cannot be read", name)
		}
	}
	if _, ok := Source("none"); ok {
		t.Error("there is a recipe none")
	}
	if strings.Contains(strings.Join(Names(), ""), ".") {
		t.Errorf("%v", Names())
	}
}
