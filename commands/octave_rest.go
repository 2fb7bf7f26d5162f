package commands

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/wire"
)

// pick chooses flags by name.
func pick(flags []*cmdline.Flag, names ...string) []*cmdline.Flag {
	return slices.DeleteFunc(flags, func(f *cmdline.Flag) bool { return !slices.Contains(names, f.Name) })
}

// restFlags are those of the flags of streams that make sense for a request and
// its answer.
func (f *streamFlags) restFlags(more ...string) []*cmdline.Flag {
	return append(pick(f.flags(), append(more, "jq", "arg", "argjson", "raw-output", "jq-error", "verbose", "quiet")...),
		requestFlags(f)...)
}

func (p *program) octaveStreams() *cmdline.Command {
	o, f := &octaveOptions{}, newStreamFlags()
	return &cmdline.Command{
		Name:  "streams",
		Usage: "list streams, one JSON line each",
		Examples: `hark octave streams --emulator /demo/devices/
hark octave streams --company acme --user alice --token env:OCTAVE_TOKEN --jq .path -r`,
		Complete:    p.streamNames,
		Args:        "[PREFIX]\nPREFIX\twhat the path begins with",
		Description: "Prints the streams that the token may read, sorted by path, as the REST interface shows them.",
		Flags:       append(o.account(), f.restFlags("count")...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.check(ctx, line); err != nil {
				return err
			}
			prefix := line.Arg(0)
			if err := checkPrefix("PREFIX", prefix); prefix != "" && err != nil {
				return err
			}
			s, svc, w, err := p.octaveRequest(ctx, line, o, f)
			if err != nil {
				return err
			}
			defer s.close()
			return s.listStreams(ctx, svc, w, prefix)
		},
	}
}

func (p *program) octavePublish() *cmdline.Command {
	o, f := &octaveOptions{}, newStreamFlags()
	return &cmdline.Command{
		Name:  "publish",
		Usage: "create events, and print them as one JSON line each",
		Examples: `hark octave publish --emulator /demo/stream '{"level":4.2}' --jq .id
printf '{"n":%d}\n' 1 2 3 | hark octave publish --company acme --user alice --token env:OCTAVE_TOKEN /acme/lab -`,
		Complete: p.streamNames,
		Args: "STREAM [JSON|-]\nSTREAM\tthe id of a stream, or its path, which begins with a slash\n" +
			"JSON\tthe payload of the event, an object; - takes each line of stdin as one, and so does leaving it out",
		Description: "Each payload becomes the elems of an event. Events are created one after the other; the " +
			"first failure ends it, and names the line.",
		Flags: append(o.account(), f.restFlags()...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.check(ctx, line); err != nil {
				return err
			}
			stream, payload := line.Arg(0), line.Arg(1)
			if err := checkOctaveStream(stream); err != nil {
				return err
			}
			if len(line.Args()) > 1 && payload != "-" {
				if err := checkElems([]byte(payload)); err != nil {
					return cmdline.Usagef("JSON: %v", err)
				}
			}
			s, svc, w, err := p.octaveRequest(ctx, line, o, f)
			if err != nil {
				return err
			}
			defer s.close()
			if len(line.Args()) > 1 && payload != "-" {
				return s.publishEvent(ctx, svc, w, stream, []byte(payload), func(err error) error { return err })
			}
			return s.publishLines(ctx, svc, w, stream)
		},
	}
}

// octaveRequest prepares a command that speaks to the REST interface alone.
func (p *program) octaveRequest(ctx context.Context, line *cmdline.Line, o *octaveOptions, f *streamFlags) (*stream, *proto.Octave, *output.Writer, error) {
	o.typed = line.Typed
	s := p.newStream(f)
	svc, err := s.octave(o)
	if err == nil && svc.API.Base == "" {
		err = o.noAPI(line.Command.Path())
	}
	var w *output.Writer
	if err == nil {
		w, err = s.writer(ctx)
	}
	if err != nil {
		s.close()
		return nil, nil, nil, err
	}
	return s, svc, w, nil
}

// apiBase is the address of the REST interface, or "" when nobody said where that
// of another installation is: the vendor's must not get its credentials.
func (o *octaveOptions) apiBase(endpoint string) (string, error) {
	switch {
	case o.api == "" && endpoint == wire.OctaveEndpoint:
		return wire.OctaveAPI, nil
	case o.api == "":
		return "", nil
	}
	base, err := serviceEndpoint(o.api)
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok {
		u.Message = "--api: " + strings.TrimPrefix(u.Message, "--endpoint ")
		return "", u
	}
	if err == nil && !isHTTP(base) {
		return "", cmdline.FlagErrorf("--api", ": the address begins neither with https:// nor with http://")
	}
	return base, err
}

// noAPI is the error of what needs the REST interface.
func (o *octaveOptions) noAPI(what string) error {
	e := cmdline.Usagef("%s needs the REST interface", what)
	e.Advice = "set --api or " + cmdline.VariableName("octave", "api") + " to its address, as --endpoint is not the vendor's"
	return e
}

// checkStreams takes the arguments of subscribe, and finds names that cannot be.
// needed: there must be one.
func (o *octaveOptions) checkStreams(args []string) error {
	o.streams = unique(args)
	for _, st := range o.streams {
		if err := checkOctaveStream(st); err != nil {
			return err
		}
	}
	for _, d := range o.devices {
		if d == "" || strings.ContainsAny(d, "/ ") {
			return cmdline.FlagErrorf("--device", " %q: expected the name of a device", cmdline.Cut(d, 24))
		}
	}
	for _, prefix := range o.prefixes {
		if err := checkPrefix("--prefix", prefix); err != nil {
			return err
		}
	}
	return nil
}

// complete finds that nothing is to be subscribed to.
func (o *octaveOptions) complete() error {
	if len(o.streams)+len(o.devices)+len(o.prefixes) == 0 {
		e := cmdline.Usagef("STREAM is missing")
		e.Advice = "give a STREAM, --device NAME or --prefix PATH; 'hark octave streams' lists the streams"
		return e
	}
	return nil
}

func checkPrefix(what, prefix string) error {
	if !strings.HasPrefix(prefix, "/") {
		e := cmdline.Usagef("%s %q: a path begins with a slash", what, cmdline.Cut(prefix, 48))
		if prefix != "" {
			e.Advice = "did you mean /" + prefix + "?"
		}
		return e
	}
	return nil
}

// findStreams turns devices and prefixes into streams.
func (s *stream) findStreams(ctx context.Context, o *octaveOptions, svc *proto.Octave) error {
	switch {
	case svc.API.Base != "":
	case o.since.given():
		return o.noAPI("--since")
	case len(o.devices) > 0:
		return o.noAPI("--device")
	case len(o.prefixes) > 0:
		return o.noAPI("--prefix")
	}
	if len(o.devices)+len(o.prefixes) > 0 {
		return s.resolve(ctx, o, svc)
	}
	return nil
}

// lookBack gives the service what it needs to look at stored events.
func (o *octaveOptions) lookBack(svc *proto.Octave) {
	backfill := o.backfill && !o.noBackfill
	if svc.API.Base != "" && (backfill || o.since.given()) {
		svc.Backfill, svc.BackfillDelay = backfill, o.backfillDelay
		svc.Since, svc.Ago = o.since.at, o.since.ago
	}
}

// resolve adds the streams of the devices and prefixes to those of the service.
func (s *stream) resolve(ctx context.Context, o *octaveOptions, svc *proto.Octave) error {
	all, err := svc.API.Streams(ctx, "")
	if err != nil {
		return s.octaveRefusal(ctx, svc, err)
	}
	svc.Known = make(map[string]proto.OctaveStream)
	add := func(prefix, what string) error {
		found := false
		for _, st := range all {
			if strings.HasPrefix(st.Path, prefix) {
				found = true
				svc.Known[st.Path] = st
			}
		}
		if !found {
			err := &proto.Failure{Class: proto.Refused, Err: fmt.Errorf("%s: no stream has a path that begins with %s", what, prefix)}
			return withHint(err, "'hark octave streams' lists the streams that the token may read")
		}
		return nil
	}
	for _, d := range o.devices {
		if err := add("/"+o.company+"/devices/"+d+"/", "--device "+d); err != nil {
			return err
		}
	}
	for _, prefix := range o.prefixes {
		if err := add(prefix, "--prefix"); err != nil {
			return err
		}
	}
	for _, st := range all {
		if _, ok := svc.Known[st.Path]; ok && !slices.Contains(o.streams, st.Path) && !slices.Contains(o.streams, st.ID) {
			svc.Streams = append(svc.Streams, st.Path)
		}
	}
	slices.Sort(svc.Streams[len(o.streams):])
	return nil
}

// listStreams prints the streams below a prefix.
func (s *stream) listStreams(ctx context.Context, svc *proto.Octave, w *output.Writer, prefix string) error {
	streams, err := svc.API.Streams(ctx, prefix)
	if err != nil {
		return s.octaveRefusal(ctx, svc, err)
	}
	slices.SortFunc(streams, func(a, b proto.OctaveStream) int { return cmp.Compare(a.Path, b.Path) })
	for i, st := range streams {
		if err := s.print(w, uint64(i+1), st.Raw); err != nil {
			return err
		}
	}
	return w.Flush()
}

// print gives one record to the writer of the stream.
func (s *stream) print(w *output.Writer, seq uint64, record []byte) error {
	return w.Event(&proto.Event{Message: proto.Message{Data: record, Time: time.Now()}, Seq: seq})
}

// checkElems finds what cannot be the payload of an event.
func checkElems(payload []byte) error {
	var elems map[string]json.RawMessage
	if err := json.Unmarshal(payload, &elems); err != nil {
		return fmt.Errorf("%s is no JSON object", cmdline.Cut(string(payload), 48))
	}
	if elems == nil {
		return errors.New("null is no JSON object")
	}
	return nil
}

// publishEvent creates an event and prints it. at adds to an error where the
// payload came from.
func (s *stream) publishEvent(
	ctx context.Context, svc *proto.Octave, w *output.Writer, stream string, payload []byte, at func(error) error,
) error {
	event, err := svc.API.Publish(ctx, stream, payload)
	if err != nil {
		return s.octaveRefusal(ctx, svc, at(err))
	}
	if err := s.print(w, 1, event); err != nil {
		return err
	}
	return w.Flush()
}

// publishLines creates an event of each line of stdin.
func (s *stream) publishLines(ctx context.Context, svc *proto.Octave, w *output.Writer, stream string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, failed := inputLines(ctx, s.Stdin)
	sent := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l, ok := <-lines:
			switch err := checkElems(l.text); {
			case !ok:
				if err := <-failed; err != nil {
					return fmt.Errorf("stdin: %w", err)
				}
				return nil
			case len(bytes.TrimSpace(l.text)) == 0:
				continue
			case err != nil:
				u := cmdline.Usagef("%v", &lineError{l.number, sent, err})
				u.Advice = "each line is a JSON object, the elems of an event"
				return u
			}
			at := func(err error) error { return &lineError{l.number, sent, err} }
			if err := s.publishEvent(ctx, svc, w, stream, l.text, at); err != nil {
				return err
			}
			sent++
		}
	}
}

// octaveRefusal is a request to the REST interface that failed. Its 403 does not
// tell bad credentials from a missing right, but the session service does.
func (s *stream) octaveRefusal(ctx context.Context, svc *proto.Octave, err error) error {
	if sig, ok := errors.AsType[*signalError](context.Cause(ctx)); ok {
		return sig
	}
	failure := proto.RequestFailure(err)
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if ok && h.Stage == proto.StageRequest && h.Status == http.StatusForbidden {
		ctx, cancel := context.WithTimeout(ctx, s.flags.connectTimeout)
		defer cancel()
		if _, serr := svc.NewSession(ctx); serr == nil {
			return withHint(&proto.Failure{Class: proto.Refused, Err: err}, "the credentials are good, but the token has no right to this")
		}
	}
	return withHint(withHint(failure, s.flags.tlsFlags.hint(err)), octaveHint(failure))
}
