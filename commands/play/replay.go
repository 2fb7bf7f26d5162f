package play

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hark-cli/hark/commands/listen"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/replay"
	"github.com/hark-cli/hark/proto"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	listen string
	speed  speed
	strict bool
	limit  time.Duration
	access listen.Flags
}

// ReplayCommand is "hark replay".
func ReplayCommand(p *program.Program, all stream.Services) *cmdline.Command {
	o := &replayOptions{listen: "127.0.0.1:0", speed: 1}
	return &cmdline.Command{
		Name:  "replay",
		Usage: "serve a recording to any WebSocket client",
		Examples: `hark drogue tail --emulator demo-app -n 5 --record day.tape && hark replay day.tape -m 5s
hark replay day.tape --speed max
hark replay day.tape --listen 127.0.0.1:8080 --speed 10 --strict`,
		Args: "RECORDING\nRECORDING\ta file written by --record",
		Description: "Prints its address, sends what the recorded server sent to the client that connects " +
			"there, and exits at the end of the recording. Each recorded connection is served to a new " +
			"client. hark waits up to 1 s for what the recorded client sent; with --strict up to 30 s, and it " +
			"exits 4 if anything else arrives. A recording of Octave also answers requests for " +
			"a session, too.",
		Flags: append([]*cmdline.Flag{
			{Name: "listen", Value: cmdline.String(&o.listen),
				Usage: "listen on `HOST:PORT`; port 0 for any free port"},
			{Name: "speed", Value: &o.speed,
				Usage: "serve `N` times as fast as recorded, such as 10, or max for no delay"},
			{Name: "strict", Value: cmdline.Bool(&o.strict),
				Usage: "exit 4 if the client does not send what the recorded client sent"},
			{Name: "max-time", Aliases: []string{"m"}, Value: cmdline.Duration(&o.limit),
				Usage: "exit after `D`"},
		}, o.access.Flags()...),
		Run: func(ctx context.Context, line *cmdline.Line) error {
			if err := program.CheckDuration(line, "max-time", o.limit, false); err != nil {
				return err
			}
			if err := o.access.Check(ctx, line); err != nil {
				return err
			}
			return serve(ctx, p, line.Arg(0), o, all)
		},
	}
}

// A speed is the factor by which a recording is served faster than recorded; 0 means
// without delays.
type speed float64

// Set implements flag.Value.
func (s *speed) Set(text string) error {
	if text == "max" {
		*s = 0
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 1e-3 && f <= 1e6) || math.IsNaN(f) {
		return errors.New("expected a number such as 1 or 10, or max")
	}
	*s = speed(f)
	return nil
}

// String implements flag.Value.
func (s *speed) String() string {
	if *s == 0 {
		return "max"
	}
	return strconv.FormatFloat(float64(*s), 'g', -1, 64)
}

// serve serves the recording until its end or until ctx is done.
func serve(ctx context.Context, p *program.Program, path string, o *replayOptions, all stream.Services) error {
	file, err := openRecording(ctx, p, path)
	if err != nil {
		return err
	}
	defer file.Close()
	recording, err := proto.NewRecordingReader(file)
	if err != nil {
		return recordingError(path, err)
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return cmdline.FlagErrorf("--listen", " %s: %v", o.listen, err)
	}
	options := replay.Options{Speed: float64(o.speed), Strict: o.strict, Patience: time.Second}
	if o.strict {
		options.Patience = 30 * time.Second
	}
	if sv := all.Find(recording.Head.Service); sv != nil {
		options.Clocked, options.Answer = sv.Clocked, sv.Answer
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := replay.New(serving, recording, options)
	server := &http.Server{Handler: o.access.Guard(p, l, o.listen, h), ReadHeaderTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		stop()
		server.Close()
		<-served
		h.Close()
	}()
	if err := program.WriteLine(p.Stdout, []byte("ws://"+l.Addr().String())); err != nil {
		return err
	}
	var over <-chan time.Time // never, without a limit
	if o.limit > 0 {
		over = time.After(o.limit)
	}
	select {
	case <-over:
		return nil
	case <-h.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err = h.Err()
	switch {
	case errors.Is(err, proto.ErrRecordingCut):
		p.Say.Warning("%v; everything before it was served", err)
		return nil
	}
	return recordingError(path, err)
}
