package prompt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// A promptCommand is a command for a line that begins with a slash.
type promptCommand struct {
	name string
	args string // synopsis
	help string // lower case, no full stop
	run  func(t *talk, rest string) error
	// words returns candidates for its argument, for completion.
	words func(t *talk) []string
}

// promptCommands are the commands of every prompt.
func promptCommands() []promptCommand {
	return []promptCommand{
		{"help", "", "list the commands", (*talk).cmdHelp, nil},
		{"ping", "[N|TEXT]", "send one or N pings, or one with TEXT, and measure the time to the pong", (*talk).cmdPing, nil},
		{"pong", "[TEXT]", "send an unsolicited pong", (*talk).cmdPong, nil},
		{"close", "[CODE [REASON]]", "close the connection with this status", (*talk).cmdClose, nil},
		{"binary", "HEX|@FILE", "send a binary message", (*talk).cmdBinary, nil},
		{"file", "PATH", "send the content of a file as one message", (*talk).cmdFile, nil},
		{"jq", "EXPR|off", "apply a jq filter to each message", (*talk).cmdJQ, (*talk).exprWords},
		{"until", "EXPR|off", "exit after the first message that matches", (*talk).cmdUntil, (*talk).exprWords},
		{"on", "[EXPR => JQ|off]", "answer messages that match EXPR with the outputs of JQ", (*talk).cmdOn, (*talk).exprWords},
		{"every", "[D => JQ|off]", "send the outputs of JQ at intervals", (*talk).cmdEvery, nil},
		{"wait", "EXPR [D]", "wait until a message matches, at most D (30s)", (*talk).cmdWait, (*talk).exprWords},
		{"format", "FORMAT", "output format, as for --format", (*talk).cmdFormat, (*talk).formatWords},
		{"view", "json|pretty|brief", "how messages are shown, as for --view", (*talk).cmdView, (*talk).viewWords},
		{"pretty", "", "turn indented JSON on or off", (*talk).cmdPretty, nil},
		{"time", "", "turn the time of each message, and since the last, on or off", (*talk).cmdTime, nil},
		{"last", "[N] [EXPR]", "show the last 10 or N messages again, those that match EXPR", (*talk).cmdLast, (*talk).exprWords},
		{"copy", "[N]", "copy the last message received, or the Nth last, to the clipboard of the terminal", (*talk).cmdCopy, nil},
		{"edit", "", "edit a message in $EDITOR", (*talk).cmdEdit, nil},
		{"save", "FILE", "save the messages sent and received as a smoke test", (*talk).cmdSave, nil},
		{"record", "FILE|off", "record every frame from now on", (*talk).cmdRecord, nil},
		{"history", "", "list the lines typed so far", (*talk).cmdHistory, nil},
		{"status", "", "show the state of the connection", (*talk).cmdStatus, nil},
		{"reconnect", "", "reconnect", (*talk).cmdReconnect, nil},
		{"quit", "", "close the connection and exit", (*talk).cmdQuit, nil},
	}
}

// commands returns the commands of this prompt: the general ones, those of the service,
// and the macros.
func (t *talk) commands() []promptCommand {
	all := promptCommands()
	if svc, ok := t.Service.(proto.Commanded); ok {
		for _, c := range svc.Commands() {
			all = append(all, promptCommand{c.Name, c.Args, c.Help, func(t *talk, rest string) error {
				return t.serviceCommand(c, rest)
			}, (*talk).seenWords})
		}
	}
	for _, m := range t.macros() {
		all = append(all, promptCommand{m.name, m.synopsis(), "send: " + cmdline.Cut(t.Say.String(m.text), 40), func(t *talk, rest string) error {
			text, err := m.expand(rest)
			if err == nil {
				t.message([]byte(text))
			}
			return err
		}, func(*talk) []string {
			var words []string
			for _, name := range m.places() {
				words = append(words, name+"=")
			}
			return words
		}})
	}
	return all
}

// otherNames are names of commands in other programs, such as psql and ipython.
var otherNames = map[string]string{"exit": "quit", "q": "quit", "?": "help"}

// command runs a line without its slash.
func (t *talk) command(line string) error {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	all := t.commands()
	is := func(name string) func(promptCommand) bool {
		return func(c promptCommand) bool { return c.name == name }
	}
	if long := otherNames[name]; long != "" && !slices.ContainsFunc(all, is(name)) {
		name = long
	}
	for _, c := range all {
		if c.name == name {
			if c.args == "" && rest != "" {
				return cmdline.Usagef("/%s takes no arguments", name)
			}
			if c.args != "" && c.args[0] != '[' && rest == "" {
				return cmdline.Usagef("/%s requires %s", name, c.args)
			}
			err := c.run(t, rest)
			if u, ok := errors.AsType[*cmdline.UsageError](err); ok && u.Hint() == "" {
				u.Advice = "/help lists the commands"
			}
			return err
		}
	}
	shown := cmdline.Cut(t.Say.String(name), 24)
	e := cmdline.Usagef("unknown command /%s", shown)
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	if near := cmdline.Nearest(name, names); near != "" {
		e.Advice = "did you mean /" + near + "? "
	}
	e.Advice += "/help lists the commands, //" + shown + " sends it as a message"
	return e
}

func (t *talk) cmdHelp(string) error {
	var b strings.Builder
	for _, c := range t.commands() {
		fmt.Fprintf(&b, "%-24s %s\n", strings.TrimSpace("/"+c.name+" "+c.args), c.help)
	}
	b.WriteString("//TEXT                   send /TEXT as a message\nanything else            send it as a message; JSON may take several lines")
	t.answer(b.String())
	return nil
}

func errNotConnected() error {
	e := cmdline.Usagef("not connected")
	e.Advice = "/reconnect reconnects"
	return e
}

func (t *talk) cmdClose(rest string) error {
	code, reason, err := CloseArguments(rest)
	if err != nil {
		return err
	}
	if !t.up {
		return errNotConnected()
	}
	t.send(proto.Frame{Opcode: frame.OpClose, Payload: frame.ClosePayload(code, reason)})
	return nil
}

func (t *talk) cmdBinary(rest string) error {
	if strings.HasPrefix(rest, "@") {
		if err := t.filesAllowed("/binary @FILE"); err != nil {
			return err
		}
	}
	b, err := BinaryArgument(rest)
	if err != nil {
		return err
	}
	t.send(FrameOf(b, true))
	return nil
}

func (t *talk) cmdFile(rest string) error {
	if err := t.filesAllowed("/file"); err != nil {
		return err
	}
	b, err := os.ReadFile(rest)
	if err != nil {
		return &cmdline.UsageError{Message: err.Error()}
	}
	f := FrameOf(b, false)
	if f.Opcode == frame.OpBinary {
		t.answer(rest + " is not text: it is sent as a binary message")
	}
	t.send(f)
	return nil
}

// cmdEdit opens a message in the user's editor.
func (t *talk) cmdEdit(string) error {
	if t.ed == nil {
		return cmdline.Usagef("/edit requires a terminal; /file PATH sends the content of a file")
	}
	editor := "vi"
	for _, name := range []string{"EDITOR", "VISUAL"} {
		if v, ok := t.LookupEnv(name); ok && v != "" {
			editor = v
		}
	}
	f, err := os.CreateTemp("", "hark-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	err = t.ed.Lend(func() error {
		// Through a shell, because the variable may contain arguments.
		cmd := exec.Command("sh", "-c", editor+` "$1"`, "sh", f.Name())
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", editor, err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	if b = bytes.TrimRight(b, "\r\n"); len(b) == 0 {
		t.answer("nothing written, nothing sent")
		return nil
	}
	t.answerStyled(Paint(t.color, Sent, "> ") + strings.ReplaceAll(Visible(string(b)), "\n", "\n  "))
	t.message(b)
	return nil
}

// cmdRecord starts or ends a recording.
// stopRecording ends the recording, if there is one.
func (t *talk) stopRecording() error {
	t.settle()
	if r := t.recording.Swap(nil); r != nil {
		return r.Close()
	}
	return nil
}

func (t *talk) cmdRecord(rest string) error {
	if rest != "off" {
		if err := t.filesAllowed("/record"); err != nil {
			return err
		}
	}
	if err := t.stopRecording(); err != nil {
		return err
	}
	if rest == "off" {
		t.answer("recording off")
		return nil
	}
	r, err := t.Record(rest)
	if err != nil {
		return err
	}
	t.recording.Store(r)
	t.answer("recording to " + rest)
	return nil
}

func (t *talk) cmdHistory(string) error {
	lines := t.past[max(0, len(t.past)-historyShown):]
	if len(lines) == 0 {
		t.answer("nothing yet")
		return nil
	}
	t.answer(strings.Join(lines, "\n"))
	return nil
}

func (t *talk) cmdStatus(string) error {
	state := "connecting"
	switch {
	case t.up:
		state = fmt.Sprintf("connected to %s for %s", t.address, time.Since(t.since).Round(time.Second))
	case t.held && t.closed != "":
		state = "closed: " + t.closed
	case t.held:
		state = "not connected"
	}
	t.answer(fmt.Sprintf("%s; %d sent, %d received, %d waiting to be sent", state, t.sent, t.received.Load(), len(t.queue)))
	return nil
}

func (t *talk) cmdReconnect(string) error {
	if !t.up && !t.held && !t.ever {
		return cmdline.Usagef("still connecting")
	}
	select {
	case t.again <- struct{}{}:
		t.held, t.up = false, false
	default:
	}
	return nil
}

func (t *talk) cmdQuit(string) error {
	t.quit(nil)
	return nil
}

// serviceCommand runs a command of the service with its session.
func (t *talk) serviceCommand(c proto.Command, rest string) error {
	if !t.up {
		return errNotConnected()
	}
	ask := func(s proto.Session, now time.Time) []proto.Effect {
		commander, ok := s.(proto.Commander)
		if !ok {
			return nil
		}
		effects, text, err := commander.Command(c.Name, strings.Fields(rest), now)
		t.post(func() {
			t.asking = false
			if err != nil {
				t.commandFailed(err)
				return
			}
			if c.Lasting {
				t.lasting = append(t.lasting, c.Name+" "+rest)
			}
			t.log.line(strings.TrimSpace("/" + c.Name + " " + rest))
			if text != "" {
				t.answer(text)
			}
		})
		return effects
	}
	select {
	case t.ask <- ask:
		t.asking = true
		return nil
	default:
		return errors.New("earlier commands have not been run yet")
	}
}

func (t *talk) commandFailed(err error) {
	e := &cmdline.UsageError{Message: err.Error()}
	if !t.typedByHand() {
		t.quit(e)
		return
	}
	t.printError(e)
}

// macros are those of the configuration file, by name.
func (t *talk) macros() []macro {
	var all []macro
	for name, text := range t.Macros {
		all = append(all, macro{name: name, text: text})
	}
	slices.SortFunc(all, func(a, b macro) int { return strings.Compare(a.name, b.name) })
	return all
}
