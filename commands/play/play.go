// Package play contains the commands for recordings: "hark play" and "hark replay".
package play

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// Command is "hark play".
// made makes what reads a recording that contains its recipe.
func Command(p *program.Program, all stream.Services, made Maker) *cmdline.Command {
	var as string
	f := stream.NewFlags()
	return &cmdline.Command{
		Name:  "play",
		Usage: "apply filters and conditions to a recording, offline",
		Examples: `hark drogue tail --emulator demo-app -n 5 --record day.tape && hark play day.tape --jq .data
hark play day.tape --until '.subject == "alarm"' --status json
hark play events.ndjson --jq 'select(.level == "error")'
xz -dc day.tape.xz | hark play - --as connect`,
		Args: "RECORDING\nRECORDING\ta file written by --record, or one with a JSON value per line; - for stdin",
		Description: "Prints, or delivers with --to, what the recorded command would have printed with these " +
			"flags, as fast as possible. Times are those of the recording, for --idle and --max-time too. Each line of a file " +
			"that is not a recording is an event of hark connect, with the time at which it is read.",
		Flags: slices.Concat([]*cmdline.Flag{
			{Name: "as", Group: program.CatService, Value: cmdline.String(&as), Default: "the service in the recording",
				Usage: "read the recording as one of the service `" + strings.Join(all.Names(), "|") + "`"},
		}, f.EndFlags.Flags(), f.OutputFlags.Flags(), f.StatusFlags.Flags(), f.DeliverFlags.Flags(), f.CursorFlags.Flags()),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			for _, check := range []func(context.Context, *cmdline.Line) error{f.EndFlags.Check, f.OutputFlags.Check, f.StatusFlags.Check, f.DeliverFlags.Check, f.CursorFlags.Check} {
				if err := check(ctx, line); err != nil {
					return err
				}
			}
			if as != "" && all.Find(as) == nil {
				return cmdline.ValueErrorf(line.GivenAs("as"), cmdline.Cut(as, 24), "expected %s", strings.Join(all.Names(), ", "))
			}
			if err := f.CursorFlags.With(line, f.Format); err != nil {
				return err
			}
			if err := f.CursorFlags.Open(""); err != nil {
				return err
			}
			s := stream.New(p, f)
			defer s.Close()
			return play(ctx, s, line.Arg(0), as, all, made)
		},
	}
}

// A Maker makes what reads a recording of the service of a recipe, which is in the head.
type Maker func(head proto.RecordingHead) (proto.Player, error)

// openRecording opens the recording at a path.
func openRecording(ctx context.Context, p *program.Program, path string) (io.ReadCloser, error) {
	if path == "-" {
		return bounded.Reader(ctx, p.Stdin), nil
	}
	if err := program.Readable(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, cmdline.Usagef("%v", err)
	}
	f, err := bounded.Open(ctx, path)
	if err != nil {
		return nil, program.Mistake(err, cmdline.Usagef("%v", err))
	}
	return f, nil
}

// plainService is the service whose events are its messages, those of a plain file.
const plainService = "connect"

// play runs a recording through all stages after the connection.
func play(ctx context.Context, s *stream.Stream, path, as string, all stream.Services, made Maker) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	file, err := openRecording(reading, s.Program, path)
	if err != nil {
		return err
	}
	defer file.Close()
	first := &beginning{Reader: file}
	in := &lazyReader{Reader: first}
	recording, err := proto.NewMessageReader(in)
	if err != nil {
		return recordingError(path, err)
	}
	var player proto.Player
	switch {
	case as != "":
	case recording.Plain:
		as = plainService
	default:
		as = recording.Head.Service
		if recording.Head.Recipe != "" {
			if player, err = made(recording.Head); err != nil {
				return cmdline.Usagef("%s: %v", path, err)
			}
		}
	}
	if sv := all.Find(as); sv != nil && player == nil {
		player = sv.Player
	}
	if player == nil {
		e := cmdline.Usagef("%s does not contain the name of its service", path)
		if as != "" {
			e = cmdline.Usagef("%s is a recording of an unknown service, %q", path, cmdline.Cut(as, 24))
		}
		e.Advice = "--as " + strings.Join(all.Names(), "|") + " sets it"
		return e
	}
	played := &playedService{Player: player, source: recording.Head.Source}
	if recording.Head.Service != as {
		played.source = ""
	}
	s.RunID = recording.Head.Run
	limit := s.Flags.MaxTime
	s.Flags.MaxTime = 0 // which is by the local clock
	if err := s.OpenDelivery(); err != nil {
		return err
	}
	if _, err := s.Track(played, "play", []string{first.id(), as}); err != nil {
		return err
	}
	return s.Follow(ctx, played, func(ctx context.Context, w *output.Writer, o proto.Options) error {
		a := newAhead()
		in.before, recording.Room = a.pass, a.room
		go a.read(until(recording.Records(), limit))
		defer s.ExpireDelivery(ctx)()
		sink := s.Tracked(ctx, s.Sink(w))
		var resumed resumedSink
		if played.resumes {
			resumed = resumedSink{Sink: sink, done: played.done}
			sink = &resumed
		}
		idle := func() { _ = sink.Flush() } // the next event reports a failure
		err := proto.Play(ctx, player, a.records(idle), sink, o)
		stop() // a read of stdin
		a.close()
		if errors.Is(err, proto.ErrRecordingEnd) {
			if err = recordedEnd(s, path, recording, as, w); resumed.last < resumed.done {
				err = cmdline.Usagef("%s: %v", path, &shorterError{resumed.last, resumed.done})
			}
		}
		return s.Saved(s.Delivered(ctx, recordingError(path, err)))
	})
}

// A playedService is the service of a recording, with the recorded source of its
// events.
type playedService struct {
	proto.Player
	source  string // "" if unknown
	resumes bool   // its events need positions
	done    uint64 // events that an earlier process has played
}

// Describe implements proto.Describer.
func (s *playedService) Describe(m proto.Message) proto.Description {
	d, ok := s.Player.(proto.Describer)
	if !ok {
		return proto.Description{Source: s.source}
	}
	out := d.Describe(m)
	if s.source != "" && out.Source == d.Describe(proto.Message{}).Source { // it is not in the event
		out.Source = s.source
	}
	return out
}

// Summary implements proto.Summarizer.
func (s *playedService) Summary(m proto.Message) proto.Summary {
	if x, ok := s.Player.(proto.Summarizer); ok {
		return x.Summary(m)
	}
	return proto.Summary{}
}

// recordedEnd returns the error for the end of a recording.
func recordedEnd(s *stream.Stream, path string, recording *proto.RecordingReader, as string, w *output.Writer) error {
	if as != recording.Head.Service && recording.Head.Service != "" && w.Counts().Events == 0 {
		s.Warn("%s is a recording of %s; read as one of %s, it contains no events", path, cmdline.Cut(recording.Head.Service, 24), as)
	}
	switch {
	case recording.Head.Service == "":
		return proto.ErrRecordingEnd // frames, as --format frames prints them
	case recording.End == nil && recording.Cut(): // which has been reported
	case recording.End == nil:
		s.Warn("%s is truncated: the command that recorded it was killed, or is still running", path)
		return proto.ErrRecordingEnd
	case recording.End.ExitCode > ending.OK && recording.End.ExitCode < process.SignalExit:
		return &stream.RecordedFailure{End: recording.End}
	}
	return proto.ErrRecordingEnd
}

// recordingError returns err, with the name of the recording if it is about that.
func recordingError(path string, err error) error {
	if e, ok := errors.AsType[*proto.RecordingError](err); ok {
		if e.Line == 0 {
			return cmdline.Usagef("%s: %v", path, e.Err)
		}
		return cmdline.Usagef("%s: line %d: %v", path, e.Line, e.Err)
	}
	return err
}

// until ends a recording after a time by its clock; 0 means never.
func until(recording iter.Seq2[proto.FrameRecord, error], limit time.Duration) iter.Seq2[proto.FrameRecord, error] {
	if limit == 0 {
		return recording
	}
	return func(yield func(proto.FrameRecord, error) bool) {
		var start time.Time
		for r, err := range recording {
			if start.IsZero() {
				start = r.Time
			}
			if err == nil && r.Time.Sub(start) >= limit {
				yield(proto.FrameRecord{}, ending.ErrMaxTime)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A lazyReader calls before in front of each read, which may block.
type lazyReader struct {
	io.Reader
	before func()
}

// Read implements io.Reader.
func (r *lazyReader) Read(p []byte) (int, error) {
	if r.before != nil {
		r.before()
	}
	return r.Reader.Read(p)
}
