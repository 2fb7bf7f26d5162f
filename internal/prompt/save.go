package prompt

import (
	"os"
	"regexp"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/pattern"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
)

// cmdSave writes the transcript as a script that repeats it.
func (t *talk) cmdSave(rest string) error {
	if err := t.filesAllowed("/save"); err != nil {
		return err
	}
	entries, left := t.log.all()
	if len(entries) == 0 {
		return cmdline.Usagef("/save: nothing was sent or received yet")
	}
	text, notes := t.smokeTest(entries)
	f, err := os.OpenFile(rest, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return &cmdline.UsageError{Message: err.Error()}
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if left > 0 {
		notes = append(notes, "left out, because they were too many or too large: "+MessageCount(left))
	}
	t.answer(strings.Join(append([]string{"saved; run it with: sh " + shellWord(rest)}, notes...), "\n"))
	return nil
}

// smokeTest returns the script for a transcript, and notes for the user.
func (t *talk) smokeTest(entries []said) (text string, notes []string) {
	var args []string
	sends := false // only hark connect has --send
	if t.Line != nil {
		o, _ := t.Line.Command.Lookup("send")
		sends = o != nil
	}
	expected := make(map[string]bool)
	binary, unsent := 0, 0
	for _, e := range entries {
		switch {
		case e.binary:
			binary++
		case e.dir == proto.Out && sends:
			text := credential.Mask(t.Say.String(string(e.data)), secret.Mask)
			args = append(args, "--send "+shellWord(text))
			if text != string(e.data) {
				notes = append(notes, "a credential in a message was replaced by ***")
			}
		case e.dir == proto.Out:
			unsent++
		default:
			if expr := expectation(e.data, t.Say.String); !expected[expr] {
				expected[expr] = true
				args = append(args, "--expect "+shellWord(expr))
			}
		}
	}
	if binary > 0 {
		notes = append(notes, "left out, because they are binary: "+MessageCount(binary))
	}
	if unsent > 0 {
		notes = append(notes, "left out, because only hark connect has --send: "+MessageCount(unsent))
	}
	line := append(t.rerun(), args...)
	line = append(line, "--max-time 30s")
	return "#!/bin/sh\n# A smoke test, saved at the prompt of hark: it sends the same messages and expects the\n" +
		"# same replies. Ids, times and other numbers that change are not compared.\nexec " +
		strings.Join(line, " \\\n  ") + "\n", notes
}

// promptOnly are flags that do not apply to a script; sendFlags are in the transcript
// already.
var leftOut = pattern.Lazy(`^(interactive|allow-files|linger|hold|show-ping-pong|send|execute|slash|max-time|pretty|time|color|no-color|protocol|verbose|quiet|connect)$`)

// rerun returns the command line for another run: without the prompt, and without
// credentials.
func (t *talk) rerun() []string {
	words := []string{"hark"}
	if t.Line == nil {
		return words
	}
	var first strings.Builder
	first.WriteString(strings.Join(append(words, t.Line.Named()...), " "))
	args, _, _ := t.Line.Split()
	for _, a := range args {
		first.WriteString(" " + shellWord(t.Say.String(a)))
	}
	out := []string{first.String()}
	for _, s := range t.Line.Settings {
		if leftOut().MatchString(s.Flag.Name) || !strings.HasPrefix(s.As, "-") {
			continue
		}
		flag := "--" + s.Flag.Name
		switch {
		case !s.Flag.TakesValue():
			if s.Value != "true" {
				flag += "=" + s.Value
			}
			out = append(out, flag)
		case s.Flag.Secret && !regexp.MustCompile(`^(env|file|cmd):`).MatchString(s.Value):
			out = append(out, flag+` "$`+"{"+s.Flag.Variable()+"?}"+`"`)
		default:
			out = append(out, flag+" "+shellWord(t.Say.String(s.Value)))
		}
	}
	return out
}
