package prompt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
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

// smokeTest returns the script for a transcript, and notes for the user. The script gives
// the lines of the dialogue to the prompt of another hark, in their order.
func (t *talk) smokeTest(entries []said) (text string, notes []string) {
	entries = append(t.firstMessages(), entries...)
	expected := answers(entries, t.Say.String, t.takes)
	refs := references{redact: t.Say.String}
	var lines []string
	binary, broken := 0, 0
	for i, e := range entries {
		expr, answered := expected[i]
		switch {
		case e.line != "":
			lines = append(lines, refs.command(e.line))
		case e.dir == proto.In && answered:
			lines = append(lines, refs.command("/wait "+expr))
		case e.dir == proto.In:
		case e.binary:
			if len(e.data) > binaryLine {
				binary++
				continue
			}
			lines = append(lines, fmt.Sprintf("/binary %x", e.data))
		default:
			line, ok := oneLine(string(e.data))
			if !ok {
				broken++
				continue
			}
			if strings.HasPrefix(line, "/") {
				line = "/" + line
			}
			lines = append(lines, refs.line(line))
		}
	}
	if binary > 0 {
		notes = append(notes, "left out, because they are large and binary: "+MessageCount(binary))
	}
	if broken > 0 {
		notes = append(notes, "left out, because they have several lines and are not JSON: "+MessageCount(broken))
	}
	if refs.masked {
		notes = append(notes, "a credential in a message was replaced by ***")
	}
	args := t.rerun()
	if strings.Contains(strings.Join(args, " "), secret.Mask) {
		notes = append(notes, "a credential in the command line was replaced by ***")
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	if len(lines) == 0 {
		b.WriteString("# A smoke test, saved at the prompt of hark, where nothing was sent: it expects a message.\n")
		b.WriteString("exec " + strings.Join(append(args, "--count 1", "--max-time 30s"), " \\\n  ") + "\n")
		return b.String(), append(notes, "nothing was sent: the script expects one message, whatever it is")
	}
	b.WriteString("# A smoke test, saved at the prompt of hark: it sends the same messages and waits for the\n" +
		"# same answers. Ids, times and other numbers that change are not compared.\n")
	for _, name := range refs.names {
		fmt.Fprintf(&b, ": \"${%s:?it is the credential of a message below}\"\n", name)
		notes = append(notes, "set the environment variable "+name+" to the credential that was sent")
	}
	b.WriteString("exec " + strings.Join(append(args, "--interactive", "--max-time 30s"), " \\\n  "))
	end := "END_OF_DIALOGUE"
	for slices.Contains(lines, end) {
		end += "_"
	}
	b.WriteString(" <<" + end + "\n")
	for _, line := range append(lines, "/quit", end) {
		b.WriteString(line + "\n")
	}
	return b.String(), notes
}

// binaryLine is the largest binary message that becomes a line, in bytes.
const binaryLine = 4 << 10

// oneLine returns a message as one line, which JSON always can be.
func oneLine(text string) (line string, ok bool) {
	if !strings.ContainsAny(text, "\r\n\x00") {
		return text, true
	}
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return "", false
	}
	return b.String(), true
}

// firstMessages returns the messages of --send, which were sent before any line.
func (t *talk) firstMessages() (list []said) {
	if t.Line == nil {
		return nil
	}
	for _, s := range t.Line.Settings {
		if s.Flag.Name == "send" && s.Value != "-" {
			list = append(list, said{dir: proto.Out, data: []byte(s.Value)})
		}
	}
	return list
}

// leftOut are flags that do not apply to a script, and --send, which is in the dialogue.
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
