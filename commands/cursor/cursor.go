// Package cursor is "hark cursor": the files of --cursor.
package cursor

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/cursor"
)

// Command is "hark cursor".
func Command(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name:  "cursor",
		Usage: "show and reset positions that --cursor has stored",
		Examples: "hark octave subscribe --emulator /demo/stream -n 3 --cursor position.json && hark cursor show position.json\n" +
			"hark cursor reset position.json",
		Description: "With --cursor FILE a stream stores its position, and continues from there when it is started " +
			"again. docs/delivery.md describes what is guaranteed.",
		Commands: func() []*cmdline.Command {
			return []*cmdline.Command{showCommand(p), resetCommand(p)}
		},
	}
}

const args = "FILE\nFILE\ta file of --cursor"

func showCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "show", Usage: "print a position as JSON, without credentials",
		Examples: "hark octave subscribe --emulator /demo/stream -n 3 --cursor position.json && hark cursor show position.json\n" +
			"hark cursor show position.json | jq .position",
		Args: args,
		Description: "Prints one line: the service, the streams, when the position was saved, the time up to which " +
			"everything received is done (at), the ids of the last events, and the position as the service has it. " +
			"The file may be in use.",
		Run: func(_ context.Context, line *cmdline.Line) error {
			s, err := cursor.Read(line.Arg(0))
			if err != nil {
				return cmdline.Usagef("%v", err)
			}
			s.Position = withheld(s.Position, s.Secret)
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(s); err != nil {
				return err
			}
			return program.WriteLine(p.Stdout, bytes.TrimRight(b.Bytes(), "\n"))
		},
	}
}

// withheld is a position without the values of its members that are credentials.
func withheld(position json.RawMessage, secret []string) json.RawMessage {
	if slices.Contains(secret, ".") {
		return json.RawMessage(`"(withheld)"`)
	}
	var members map[string]json.RawMessage
	if len(secret) == 0 || json.Unmarshal(position, &members) != nil {
		return position
	}
	for name := range members {
		if slices.Contains(secret, name) {
			members[name] = json.RawMessage(`"(withheld)"`)
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		return nil // it was JSON a moment ago
	}
	return b
}

func resetCommand(p *program.Program) *cmdline.Command {
	return &cmdline.Command{
		Name: "reset", Usage: "remove a position: the stream begins anew",
		Examples: "hark octave subscribe --emulator /demo/stream -n 3 --cursor position.json && hark cursor reset position.json\n" +
			"hark cursor reset /var/lib/hark/position.json",
		Args: args,
		Description: "Removes the file, also one that is damaged, but not while it is in use. The next start of the " +
			"stream begins as the first one did: now, or with --since.",
		Run: func(_ context.Context, line *cmdline.Line) error {
			if err := cursor.Reset(line.Arg(0)); err != nil {
				return cmdline.Usagef("%v", err)
			}
			p.Say.Note("removed %s", line.Arg(0))
			return nil
		},
	}
}
