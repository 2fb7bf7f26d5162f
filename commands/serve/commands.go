package serve

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/internal/prompt"
)

// read runs lines until there are none.
func (s *serving) read(ctx context.Context, next func() (string, error)) {
	said := "" // the error of the line before
	var whole prompt.Composed
	for n := 1; ; n++ {
		text, err := next()
		switch {
		case err == lineedit.ErrInterrupt && (text != "" || whole.Begun != ""):
			whole = prompt.Composed{}
			s.ed.SetPrompt(s.promptText(false))
			continue
		case err != nil && s.ed != nil:
			s.end(prompt.ErrQuit)
			return
		case err == io.EOF:
			return
		case err != nil:
			s.Say.Warning("stdin: %v; nothing more is sent", err)
			return
		}
		if s.ed == nil {
			select {
			case <-s.first:
			case <-ctx.Done():
				return
			}
			if !utf8.ValidString(text) {
				s.Say.Warning("line %d of stdin is not UTF-8, as a text message must be; invalid bytes are sent as U+FFFD", n)
			}
		} else {
			if text != "" {
				s.ed.Remember(text)
			}
			var complete bool
			text, complete = whole.Add(text)
			s.ed.SetPrompt(s.promptText(!complete))
			if !complete {
				continue
			}
		}
		complaint := ""
		if err := s.take(text); err != nil {
			complaint = err.Error()
		}
		if complaint != "" && (complaint != said || s.ed != nil) { // a pipe may have a million lines
			s.Say.Error("%s", complaint)
		}
		said = complaint
	}
}

// serveCommands are the commands of lines with a slash.
func serveCommands() [][2]string {
	return [][2]string{
		{"/to N TEXT", "send TEXT to client N alone; TEXT may be /binary HEX"},
		{"/binary HEX|@FILE", "send a binary message to all"},
		{"/ping [N]", "ping a client, or all"},
		{"/close [N [CODE [REASON]]]", "close the connection of a client, or of all"},
		{"/clients", "list the clients"},
		{"/help", "list the commands"},
		{"/quit", "close all connections and exit"},
		{"//TEXT", "send /TEXT to all"},
		{"TEXT", "send TEXT to all"},
	}
}

// complete returns candidates for commands.
func (s *serving) complete(line []rune, pos int) (int, []string) {
	var all []string
	for _, c := range serveCommands() {
		if name, _, args := strings.Cut(c[0], " "); strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "//") {
			if args {
				name += " "
			}
			all = append(all, name)
		}
	}
	if !strings.HasPrefix(string(line[:pos]), "/") {
		return pos, nil
	}
	return 0, prompt.Fitting(all, string(line[:pos]))
}

// take sends a line, or runs it if it is a command, which lines of a pipe are not by
// default: they may come from someone else.
func (s *serving) take(text string) error {
	if s.ed == nil && !s.StdinTerminal && !s.o.commands {
		return s.hub.Send(0, false, prompt.ToUTF8([]byte(text)))
	}
	return s.command(text)
}

// command runs a line.
func (s *serving) command(text string) error {
	switch {
	case text == "" && s.ed != nil:
		return nil
	case strings.HasPrefix(text, "//"):
		return s.hub.Send(0, false, prompt.ToUTF8([]byte(text[1:])))
	case !strings.HasPrefix(text, "/"):
		return s.hub.Send(0, false, prompt.ToUTF8([]byte(text)))
	}
	name, rest, _ := strings.Cut(text[1:], " ")
	switch name {
	case "to":
		return s.to(rest)
	case "binary":
		return s.binary(0, rest)
	case "ping":
		return s.ping(rest)
	case "close":
		return s.closeClient(rest)
	case "clients":
		list := s.hub.Clients()
		s.answer(strings.Trim(fmt.Sprint(list), "[]"), "nobody")
	case "help":
		var b strings.Builder
		for _, c := range serveCommands() {
			fmt.Fprintf(&b, "%-28s%s\n", c[0], c[1])
		}
		s.answer(strings.TrimSuffix(b.String(), "\n"), "")
	case "quit":
		s.end(prompt.ErrQuit)
	default:
		var names []string
		for _, c := range serveCommands() {
			names = append(names, strings.TrimPrefix(strings.Fields(c[0])[0], "/"))
		}
		hint := "/help lists the commands"
		if near := cmdline.Nearest(name, names); near != "" {
			hint = "did you mean /" + near + "?"
		}
		return fmt.Errorf("unknown command /%s; %s", cmdline.Cut(name, 24), hint)
	}
	return nil
}

func (s *serving) answer(text, none string) {
	if text == "" {
		text = none
	}
	if s.ed != nil {
		s.ed.Post([]byte(prompt.Visible(text)))
		return
	}
	s.Say.Notes(strings.Split(text, "\n")...)
}

// clientNumber cuts the number of a client off the start of a text; 0 if there is none
// and none is required.
func clientNumber(text string, needed bool) (number int, rest string, err error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if word == "" && !needed {
		return 0, "", nil
	}
	number, err = strconv.Atoi(word)
	if err != nil || number < 1 {
		return 0, "", fmt.Errorf("%q: expected the number of a client", cmdline.Cut(word, 24))
	}
	return number, rest, nil
}

func (s *serving) to(rest string) error {
	n, text, err := clientNumber(rest, true)
	if err != nil {
		return err
	}
	if arg, ok := strings.CutPrefix(text, "/binary "); ok {
		return s.binary(n, arg)
	}
	return s.hub.Send(n, false, prompt.ToUTF8([]byte(text)))
}

func (s *serving) binary(n int, arg string) error {
	if strings.HasPrefix(strings.TrimSpace(arg), "@") && s.ed == nil && !s.StdinTerminal {
		return cmdline.Usagef("/binary @FILE: lines of a pipe cannot read or write files")
	}
	b, err := prompt.BinaryArgument(strings.TrimSpace(arg))
	if err != nil {
		return err
	}
	return s.hub.Send(n, true, b)
}

func (s *serving) ping(rest string) error {
	n, _, err := clientNumber(rest, false)
	if err != nil {
		return err
	}
	list := s.hub.Clients()
	if n > 0 {
		list = []int{n}
	}
	for _, n := range list {
		err := s.hub.Ping(n, func(d time.Duration, err error) {
			if err != nil {
				s.answer(fmt.Sprintf("client %d: no pong", n), "")
				return
			}
			s.answer(fmt.Sprintf("client %d: pong after %s", n, d.Round(10*time.Microsecond)), "")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *serving) closeClient(rest string) error {
	n, rest, err := clientNumber(rest, false)
	if err != nil {
		return err
	}
	code, reason, err := prompt.CloseArguments(rest)
	if err != nil {
		return err
	}
	return s.hub.Disconnect(n, code, reason)
}
