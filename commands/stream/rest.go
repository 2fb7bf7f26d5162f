package stream

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// RequestFlags returns the flags of commands that send requests and open no socket.
func RequestFlags(f *Flags) []*cmdline.Flag {
	socket := []string{"compression", "location", "max-redirs", "allow-insecure-redirect", "include", "origin"}
	return append([]*cmdline.Flag{
		{Name: "connect-timeout", Group: program.CatLink, Value: cmdline.Duration(&f.ConnectTimeout),
			Usage: "time limit `D` for each request"},
	}, slices.DeleteFunc(f.NetworkFlags.Flags(), func(g *cmdline.Flag) bool { return slices.Contains(socket, g.Name) })...)
}

// pick selects flags by name.
func pick(flags []*cmdline.Flag, names ...string) []*cmdline.Flag {
	return slices.DeleteFunc(flags, func(f *cmdline.Flag) bool { return !slices.Contains(names, f.Name) })
}

// Without returns the flags of streams, except some by name.
func (f *Flags) Without(names ...string) []*cmdline.Flag {
	return slices.DeleteFunc(f.Flags(), func(g *cmdline.Flag) bool { return slices.Contains(names, g.Name) })
}

// RestFlags returns the flags of streams that apply to a request and its response.
func (f *Flags) RestFlags(more ...string) []*cmdline.Flag {
	return append(pick(f.Flags(), append(more, "jq", "arg", "argjson", "raw-output", "jq-error", "verbose", "quiet")...),
		RequestFlags(f)...)
}

// Print passes one record to the writer of the stream.
func (s *Stream) Print(w *output.Writer, seq uint64, record []byte) error {
	return w.Event(&proto.Event{Message: proto.Message{Data: record, Time: time.Now()}, Seq: seq})
}

// Within calls f with the time limit of --connect-timeout, and classifies its failure.
func Within[T any](ctx context.Context, s *Stream, f func(context.Context) (T, error)) (T, error) {
	rctx, cancel := proto.WithConnectTimeout(ctx, s.Flags.ConnectTimeout)
	defer cancel()
	v, err := f(rctx)
	if err != nil && ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	if ending.Is[*cmdline.UsageError](err) {
		return v, err
	}
	return v, proto.RequestFailure(err)
}

// An inputLine is a line of stdin, without its line ending.
type inputLine struct {
	Number int
	Text   []byte
}

// InputLines returns channels of the lines of r, except empty ones, and of the final
// error, nil at the end of r. Its goroutine cannot be joined, because a read of stdin
// cannot be interrupted.
func InputLines(ctx context.Context, r io.Reader) (<-chan inputLine, <-chan error) {
	lines, failed := make(chan inputLine), make(chan error, 1)
	go func() {
		defer close(lines)
		b := bufio.NewReader(r)
		for n := 1; ; n++ {
			text, err := b.ReadBytes('\n')
			text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
			if len(text) > 0 {
				select {
				case lines <- inputLine{n, text}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if err == io.EOF {
					err = nil
				}
				failed <- err
				return
			}
		}
	}()
	return lines, failed
}

// A LineError reports the failure of one line of stdin.
type LineError struct {
	Line, Before int
	Err          error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d of stdin (%d events sent before it): %v", e.Line, e.Before, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }

// NameList parses the value of a flag for NAME,NAME.
func NameList(flag, text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return nil, cmdline.Usagef("--%s %q: a name is empty; expected NAME,NAME", flag, cmdline.Cut(text, 60))
		}
		names = append(names, name)
	}
	return names, nil
}
