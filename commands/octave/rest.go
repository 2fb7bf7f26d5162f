package octave

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

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/octave"
	"github.com/hark-cli/hark/proto/octave/wire"
)

func streamsCommand(p *program.Program) *cmdline.Command {
	o, f := &options{}, stream.NewFlags()
	return &cmdline.Command{
		Name:  "streams",
		Usage: "list streams, one JSON line each",
		Examples: `hark octave streams --emulator /demo/devices/
hark octave streams --company acme --user alice --token env:OCTAVE_TOKEN --jq .path -r`,
		Complete:    streamNames(p),
		Args:        "[PREFIX]\nPREFIX\twhat the path begins with",
		Description: "Prints the streams that the token may read, sorted by path, as the REST interface shows them.",
		Flags:       append(o.account(), f.RestFlags("count")...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			prefix := line.Arg(0)
			if err := checkPrefix("PREFIX", prefix); prefix != "" && err != nil {
				return err
			}
			s, svc, w, err := request(ctx, p, line, o, f)
			if err != nil {
				return err
			}
			defer s.Close()
			return listStreams(ctx, s, svc, w, prefix)
		},
	}
}

func publishCommand(p *program.Program) *cmdline.Command {
	o, f := &options{}, stream.NewFlags()
	return &cmdline.Command{
		Name:  "publish",
		Usage: "create events, and print them as one JSON line each",
		Examples: `hark octave publish --emulator /demo/stream '{"level":4.2}' --jq .id
printf '{"n":%d}\n' 1 2 3 | hark octave publish --company acme --user alice --token env:OCTAVE_TOKEN /acme/lab -`,
		Complete: streamNames(p),
		Args: "STREAM [JSON|-]\nSTREAM\tthe id of a stream, or its path, which begins with a slash\n" +
			"JSON\tthe payload of the event, an object; - or no JSON reads one payload per line from stdin",
		Description: "Each payload becomes the elems of an event. Events are created one after the other; the " +
			"command exits at the first failure, and reports the line.",
		Flags: append(o.account(), f.RestFlags()...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := f.Check(ctx, line); err != nil {
				return err
			}
			to, payload := line.Arg(0), line.Arg(1)
			if err := checkStream(to); err != nil {
				return err
			}
			if len(line.Args()) > 1 && payload != "-" {
				if err := checkElems([]byte(payload)); err != nil {
					return cmdline.Usagef("JSON: %v", err)
				}
			}
			s, svc, w, err := request(ctx, p, line, o, f)
			if err != nil {
				return err
			}
			defer s.Close()
			if len(line.Args()) > 1 && payload != "-" {
				return publishEvent(ctx, s, svc, w, to, []byte(payload), func(err error) error { return err })
			}
			return publishLines(ctx, s, svc, w, to)
		},
	}
}

// request prepares a command that uses the REST interface only.
func request(ctx context.Context, p *program.Program, line *cmdline.Line, o *options, f *stream.Flags) (*stream.Stream, *octave.Service, *output.Writer, error) {
	o.typed = line.Typed
	s := stream.New(p, f)
	svc, err := open(s, o)
	if err == nil && svc.API.Base == "" {
		err = o.noAPI(line.Command.Path())
	}
	var w *output.Writer
	if err == nil {
		w, err = s.Writer(ctx)
	}
	if err != nil {
		s.Close()
		return nil, nil, nil, err
	}
	return s, svc, w, nil
}

// apiBase returns the address of the REST interface, or "" if --endpoint is another
// installation and --api is not set: the vendor must not get its credentials.
func (o *options) apiBase(endpoint string) (string, error) {
	switch {
	case o.api == "" && endpoint == wire.Endpoint:
		return wire.API, nil
	case o.api == "":
		return "", nil
	}
	base, err := network.ServiceEndpoint(o.api)
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok {
		u.Message = "--api: " + strings.TrimPrefix(u.Message, "--endpoint ")
		return "", u
	}
	if err == nil && !network.IsHTTP(base) {
		return "", cmdline.FlagErrorf("--api", ": the address begins neither with https:// nor with http://")
	}
	return base, err
}

// noAPI returns the error for a feature that requires the REST interface.
func (o *options) noAPI(what string) error {
	e := cmdline.Usagef("%s requires the REST interface", what)
	e.Advice = "set --api or " + cmdline.VariableName("octave", "api") + " to its address, as --endpoint is not the vendor's"
	return e
}

// checkStreams validates the arguments of subscribe. If needed is true, there must be
// one.
func (o *options) checkStreams(args []string) error {
	o.streams = unique(args)
	for _, st := range o.streams {
		if err := checkStream(st); err != nil {
			return err
		}
	}
	for _, d := range o.devices {
		if d == "" || strings.ContainsAny(d, "/ ") {
			return cmdline.ValueErrorf("--device", cmdline.Cut(d, 24), "expected the name of a device")
		}
	}
	for _, prefix := range o.prefixes {
		if err := checkPrefix("--prefix", prefix); err != nil {
			return err
		}
	}
	return nil
}

// complete returns an error if there is nothing to subscribe to.
func (o *options) complete() error {
	if len(o.streams)+len(o.devices)+len(o.prefixes) == 0 {
		e := cmdline.Usagef("missing argument: STREAM")
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
func findStreams(ctx context.Context, s *stream.Stream, o *options, svc *octave.Service) error {
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
		return resolve(ctx, s, o, svc)
	}
	return nil
}

// lookBack configures the service for fetching stored events.
func (o *options) lookBack(svc *octave.Service) {
	backfill := o.backfill && !o.noBackfill
	if svc.API.Base != "" && (backfill || o.since.given()) {
		svc.Backfill, svc.BackfillDelay = backfill, o.backfillDelay
		svc.Since, svc.Ago = o.since.at, o.since.ago
	}
}

// resolve adds the streams of the devices and prefixes to those of the service.
func resolve(ctx context.Context, s *stream.Stream, o *options, svc *octave.Service) error {
	all, err := svc.API.Streams(ctx, "")
	if err != nil {
		return refusal(ctx, s, svc, err)
	}
	svc.Known = make(map[string]octave.Stream)
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
			return ending.WithHint(err, "'hark octave streams' lists the streams that the token may read")
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
func listStreams(ctx context.Context, s *stream.Stream, svc *octave.Service, w *output.Writer, prefix string) error {
	streams, err := svc.API.Streams(ctx, prefix)
	if err != nil {
		return refusal(ctx, s, svc, err)
	}
	slices.SortFunc(streams, func(a, b octave.Stream) int { return cmp.Compare(a.Path, b.Path) })
	for i, st := range streams {
		if err := s.Print(w, uint64(i+1), st.Raw); err != nil {
			return err
		}
	}
	return w.Flush()
}

// checkElems returns an error for an invalid payload of an event.
func checkElems(payload []byte) error {
	var elems map[string]json.RawMessage
	if err := json.Unmarshal(payload, &elems); err != nil {
		return fmt.Errorf("%s is not a JSON object", cmdline.Cut(string(payload), 48))
	}
	if elems == nil {
		return errors.New("null is not a JSON object")
	}
	return nil
}

// publishEvent creates an event and prints it. at adds the source of the payload to an
// error.
func publishEvent(
	ctx context.Context, s *stream.Stream, svc *octave.Service, w *output.Writer, to string, payload []byte, at func(error) error,
) error {
	event, err := svc.API.Publish(ctx, to, payload)
	if err != nil {
		return refusal(ctx, s, svc, at(err))
	}
	if err := s.Print(w, 1, event); err != nil {
		return err
	}
	return w.Flush()
}

// publishLines creates an event from each line of stdin.
func publishLines(ctx context.Context, s *stream.Stream, svc *octave.Service, w *output.Writer, to string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, failed := stream.InputLines(ctx, s.Stdin)
	sent := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l, ok := <-lines:
			switch err := checkElems(l.Text); {
			case !ok:
				if err := <-failed; err != nil {
					return fmt.Errorf("stdin: %w", err)
				}
				return nil
			case len(bytes.TrimSpace(l.Text)) == 0:
				continue
			case err != nil:
				u := cmdline.Usagef("%v", &stream.LineError{Line: l.Number, Before: sent, Err: err})
				u.Advice = "each line is a JSON object, the elems of an event"
				return u
			}
			at := func(err error) error { return &stream.LineError{Line: l.Number, Before: sent, Err: err} }
			if err := publishEvent(ctx, s, svc, w, to, l.Text, at); err != nil {
				return err
			}
			sent++
		}
	}
}

// refusal returns the error of a failed REST request. Its 403 does not distinguish
// invalid credentials from a missing permission, but the session service does.
func refusal(ctx context.Context, s *stream.Stream, svc *octave.Service, err error) error {
	if sig, ok := errors.AsType[*process.SignalError](context.Cause(ctx)); ok {
		return sig
	}
	failure := proto.RequestFailure(err)
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if ok && h.Stage == proto.StageRequest && h.Status == http.StatusForbidden {
		ctx, cancel := context.WithTimeout(ctx, s.Flags.ConnectTimeout)
		defer cancel()
		if _, serr := svc.NewSession(ctx); serr == nil {
			return ending.WithHint(&proto.Failure{Class: proto.Refused, Err: err}, "the credentials are valid, but the token has no permission for this")
		}
	}
	return ending.WithHint(ending.WithHint(failure, s.Flags.TLSFlags.Hint(err)), hint(failure))
}
