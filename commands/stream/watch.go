package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/process"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/output/watch"
	"github.com/hark-cli/hark/proto"
)

// tableFlags define a table that is shown instead of records.
type tableFlags struct {
	watch bool
	by    string // an expression for the key of a row
	value string // and one for its value
	shown bool   // there is a terminal to show it
}

func (f *tableFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "watch", Rare: true, Group: program.CatOutput, Value: cmdline.Bool(&f.watch),
			Usage: "on a terminal, show a live table instead of the events"},
		{Name: "watch-by", Rare: true, Group: program.CatOutput, Value: cmdline.String(&f.by),
			Usage: "with --watch, show a row for each result of the jq expression `EXPR`", Default: "what an event is and who it is from"},
		{Name: "watch-value", Rare: true, Group: program.CatOutput, Value: cmdline.String(&f.value),
			Usage: "with --watch, show the result of the jq expression `EXPR` as the value", Default: "the data of the event"},
	}
}

// checkTable returns an error for flags that contradict a table.
func (f *Flags) checkTable(ctx context.Context, line *cmdline.Line) error {
	t := &f.tableFlags
	for _, name := range []string{"watch-by", "watch-value"} {
		if as := line.TypedAs(name); as != "" && !t.watch {
			return cmdline.FlagErrorf(as, " requires --watch")
		}
	}
	p := program.Of(ctx)
	if dumb, _ := p.LookupEnv("TERM"); !t.watch || !p.StdoutTerminal || dumb == "dumb" {
		return nil // as with --view: elsewhere, records are what is useful
	}
	switch {
	case f.Interactive || len(f.Execute) > 0:
		return cmdline.FlagErrorf("--watch", " cannot be used with --interactive")
	case f.JQ != "":
		return cmdline.FlagErrorf("--watch", " cannot be used with %s: --watch-by and --watch-value say what is shown", line.GivenAs("jq"))
	case f.Format == string(output.FormatFrames):
		return cmdline.FlagErrorf("--watch", " cannot be used with --format frames")
	case f.status == "json" && p.StderrTerminal:
		return cmdline.FlagErrorf("--watch", " cannot be used with --status json while stderr is a terminal: use --status-file")
	}
	t.shown, f.Auto = true, false
	return nil
}

// filters compiles the expressions; those that are not given are nil.
func (f *tableFlags) filters(vars jq.Vars) (by, value *jq.Filter, err error) {
	if f.by != "" {
		if by, err = jq.Compile("--watch-by", f.by, vars); err != nil {
			return nil, nil, err
		}
	}
	if f.value != "" {
		value, err = jq.Compile("--watch-value", f.value, vars)
	}
	return by, value, err
}

// A table shows events in rows, and what hark logs below them.
type table struct {
	screen  watch.Screen
	summary func(proto.Message) proto.Summary
	by      *expression // nil: what and from
	value   *expression // nil: the data
	needs   *eventjson.Selection
	set     jq.Set
	dec     eventjson.Decoder
	limit   int
	notes   notes
}

// An expression is evaluated natively where that is possible, which takes a fraction of
// the time.
type expression struct {
	native *jq.Native // nil if it is outside of the subset
	pipe   *jq.Pipeline
}

// add returns an expression, nil for no filter.
func (t *table) add(ctx context.Context, f *jq.Filter) *expression {
	if f == nil {
		return nil
	}
	t.needs = t.needs.Union(f.Needs())
	return &expression{t.set.Add(f), f.Pipeline(ctx)}
}

// openTable shows the table from now on, on the terminal that records would go to.
// close restores the screen, and prints what was logged meanwhile.
func (s *Stream) openTable(ctx context.Context) (close func(), err error) {
	if !s.Flags.tableFlags.shown {
		return func() {}, nil
	}
	named, err := s.Flags.variables()
	if err != nil {
		return nil, err
	}
	by, value, err := s.Flags.tableFlags.filters(jq.Vars{Named: named, Environ: s.Environ, Stderr: s.Say})
	if err != nil {
		return nil, err
	}
	t := &table{summary: s.summary, limit: s.valuesLimit, needs: new(eventjson.Selection)}
	t.by, t.value = t.add(ctx, by), t.add(ctx, value)
	t.screen = watch.Screen{
		Out: s.Stdout, Size: s.Screen, Color: s.Colored(s.Flags.Color),
		Failed: func(error) { s.cancel(output.ErrStdoutClosed) },
	}
	t.notes.show = t.screen.Note
	s.table = t
	s.Stdout, s.StdoutTerminal = io.Discard, false
	onScreen := s.StderrTerminal
	if onScreen {
		s.Say.Redirect(&t.notes)
	}
	t.screen.Start()
	stop := process.OnSuspend(t.screen.Suspend, t.screen.Resume)
	restore := func() {
		t.screen.Stop()
		if onScreen {
			s.Say.Restore()
			_, _ = s.Queue.Write(t.notes.take())
		}
	}
	done := s.Rescues.Add(restore)
	return func() {
		stop()
		done()
		restore()
	}, nil
}

// watched returns a sink that shows events in the table, if there is one.
func (s *Stream) watched(sink proto.Sink) proto.Sink {
	if s.table == nil {
		return sink
	}
	return &tableSink{sink, s.table}
}

// A tableSink shows each event in a table.
type tableSink struct {
	proto.Sink
	t *table
}

// Event implements proto.Sink.
func (s *tableSink) Event(ev *proto.Event) error {
	s.t.event(ev)
	return s.Sink.Event(ev)
}

// maxShown is how much of a value is kept, in bytes.
const maxShown = 512

// event adds an event to the table. What an expression yields no value for is counted
// with an empty one.
func (t *table) event(ev *proto.Event) {
	var summary proto.Summary
	if t.summary != nil {
		summary = t.summary(ev.Message)
	}
	in := evaluated{table: t, ev: ev}
	if t.by != nil || t.value != nil {
		in.loaded, _ = t.set.Load(ev.Data)
	}
	key := strings.TrimSpace(summary.From + " " + summary.What)
	if t.by != nil {
		key = text(in.first(t.by))
	} else if key == "" {
		key = "events"
	}
	var shown []byte
	if t.value != nil {
		shown = in.first(t.value)
	} else {
		shown = ev.Data
		if summary.Data != nil {
			shown = summary.Data
		}
	}
	number := math.NaN()
	if b := bytes.TrimSpace(shown); len(b) > 0 && len(b) < 64 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9') {
		if err := json.Unmarshal(b, &number); err != nil {
			number = math.NaN()
		}
	}
	t.screen.Add(key, text(shown), number, ev.Time)
}

// An evaluated is an event that expressions look at.
type evaluated struct {
	*table
	ev      *proto.Event
	loaded  bool // into the set
	decoded bool
	v       any
}

// first returns the first result of an expression as JSON, nil if there is none. It is
// valid until the next call.
func (in *evaluated) first(e *expression) []byte {
	if in.loaded && e.native != nil {
		if outs, ok := e.native.Outputs(); ok {
			switch {
			case len(outs) == 0:
				return nil
			case outs[0].Whole:
				return in.ev.Data
			}
			return outs[0].JSON
		}
	}
	if !in.decoded {
		in.decoded = true
		in.dec.Limit = in.limit
		var err error
		if in.v, err = in.dec.DecodeSelected(in.ev.Data, in.needs); errors.Is(err, eventjson.ErrTooLarge) {
			return nil
		} else if err != nil {
			in.v = eventjson.MessageValue(in.ev.Data, in.ev.Binary)
		}
	}
	e.pipe.Run(in.v)
	defer e.pipe.Forget()
	out, ok, err := e.pipe.Next()
	if !ok || err != nil {
		return nil
	}
	b, err := eventjson.AppendValue(nil, out)
	if err != nil {
		return nil
	}
	return b
}

// text returns a value for people: a string without quotes, anything else as it is.
func text(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '"' {
		if s, ok := eventjson.String(b); ok {
			return strings.Clone(s[:min(len(s), maxShown)])
		}
	}
	return string(b[:min(len(b), maxShown)])
}

// maxNotes is how many bytes of messages are kept for the end.
const maxNotes = 256 << 10

// notes are the lines that are printed to stderr after the table.
type notes struct {
	show func(text string)

	mu      sync.Mutex
	lines   [][]byte
	size    int
	dropped int
}

// Write implements io.Writer, for one or more lines.
func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for line := range bytes.Lines(b) {
		n.lines = append(n.lines, bytes.Clone(line))
		n.size += len(line)
		for n.size > maxNotes && len(n.lines) > 1 {
			n.size -= len(n.lines[0])
			n.lines = n.lines[1:]
			n.dropped++
		}
		n.show(time.Now().Format(time.TimeOnly) + " " + strings.TrimPrefix(strings.TrimRight(string(line), "\n"), "hark: "))
	}
	return len(b), nil
}

// take returns the lines, and forgets them.
func (n *notes) take() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []byte
	if n.dropped > 0 {
		out = append(out, "hark: warning: "+program.Plural(n.dropped, "earlier message")+" not kept: --status-file keeps all\n"...)
	}
	out = append(out, bytes.Join(n.lines, nil)...)
	n.lines, n.dropped, n.size = nil, 0, 0
	return out
}
