package prompt

import (
	"cmp"
	"slices"
	"sync"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// An outlet is the proto.Sink of a prompt without a terminal: an output.Writer that
// commands can change during the stream.
type outlet struct {
	log    *transcript
	mu     sync.Mutex
	w      *output.Writer
	frames bool
}

// Event implements proto.Sink.
func (o *outlet) Event(ev *proto.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if stray(ev, o.frames) {
		return nil
	}
	if received(ev) {
		o.log.add(proto.In, ev.Binary, ev.Data)
	}
	return o.w.Event(ev)
}

// Flush implements proto.Sink.
func (o *outlet) Flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Flush()
}

// change implements reshaper.
func (o *outlet) change(f *Shape, change func(*output.Writer) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.frames = f.Format == string(output.FormatFrames)
	return change(o.w)
}

// stray reports whether a frame was still queued when /format frames ended.
func stray(ev *proto.Event, frames bool) bool {
	return !frames && !received(ev)
}

// received reports whether an event is a received message.
func received(ev *proto.Event) bool { return ev.Direction != proto.Out && !ev.Opcode.Control() }

// A reshaper is a sink whose writer can be changed during the stream; f are the changed
// flags.
type reshaper interface {
	change(f *Shape, change func(*output.Writer) error) error
}

// reshape changes flags for further output.
func (t *talk) reshape(set func(f *Shape)) error {
	f := t.Shape
	before := *f
	set(f)
	o, _, err := t.Options(t.dead)
	if err == nil {
		err = t.sink.change(t.Shape, func(w *output.Writer) error { return w.Reshape(o) })
	}
	if err != nil {
		*f = before
		return err
	}
	t.frames.Store(t.Shape.Format == string(output.FormatFrames))
	return nil
}

// asIs reports whether messages are shown unchanged.
func asIs(f *Shape) bool { return f.JQ == "" && f.Format == string(output.FormatMessage) }

func (t *talk) cmdJQ(rest string) error {
	if rest == "off" {
		rest = ""
	} else if _, err := t.compile(jq.Compile, "/jq", rest); err != nil {
		return err
	}
	if err := t.reshape(func(f *Shape) { f.JQ, f.Raw = rest, f.Raw && rest != "" }); err != nil {
		return err
	}
	t.answer("jq " + cmp.Or(rest, "off"))
	return nil
}

func (t *talk) cmdUntil(rest string) error {
	var until []output.Condition
	if rest != "off" {
		filter, err := t.compile(jq.CompileCondition, "/until", rest)
		if err != nil {
			return err
		}
		until = append(until, output.Until(filter))
	}
	err := t.sink.change(t.Shape, func(w *output.Writer) error {
		w.Await(until...)
		return nil
	})
	if err != nil {
		return err
	}
	t.answer("until " + rest)
	return nil
}

// compile compiles the argument of a command, with Compile or CompileCondition.
func (t *talk) compile(compile func(flag, expr string, vars jq.Vars) (*jq.Filter, error), command, expr string) (*jq.Filter, error) {
	_, vars, err := t.Options(t.dead)
	if err != nil {
		return nil, err
	}
	return compile(command, expr, vars)
}

func (t *talk) cmdFormat(rest string) error {
	if _, err := output.ParseFormat(rest); err != nil {
		return cmdline.Usagef("/format: %v", err)
	}
	return t.reshape(func(f *Shape) { f.Format = rest })
}

func (t *talk) cmdView(rest string) error {
	if !slices.Contains(Views, rest) {
		return cmdline.ValueErrorf("/view", cmdline.Cut(rest, 24), "expected json, pretty or brief")
	}
	pretty, brief := rest == "pretty", rest == "brief"
	if t.view != nil {
		t.view.mu.Lock()
		t.view.pretty, t.view.brief = pretty, brief
		t.view.mu.Unlock()
		return nil
	}
	return t.reshape(func(f *Shape) { f.Pretty, f.Brief = pretty, brief })
}

func (t *talk) cmdPretty(string) error {
	t.Shape.Brief = false
	if t.view != nil {
		t.view.mu.Lock()
		t.view.brief = false
		t.view.mu.Unlock()
	}
	return t.toggle("pretty", func(v *view) *bool { return &v.pretty }, func(f *Shape) *bool { return &f.Pretty })
}

func (t *talk) cmdTime(string) error {
	if t.view == nil && !t.Shape.Time && !t.Shape.Raw {
		e := cmdline.Usagef("/time prints lines that are not JSON, and requires a terminal on stdout")
		e.Advice = "add --jq EXPR -r for lines of text, or use /format cloudevents, which has the time as recordedtime"
		return e
	}
	return t.toggle("time", func(v *view) *bool { return &v.times }, func(f *Shape) *bool { return &f.Time })
}

// toggle turns a setting of the view, or without one a flag, on or off.
func (t *talk) toggle(name string, ofView func(*view) *bool, ofFlags func(*Shape) *bool) error {
	var on bool
	if t.view == nil {
		err := t.reshape(func(f *Shape) {
			on = !*ofFlags(f)
			*ofFlags(f) = on
		})
		if err != nil {
			return err
		}
	} else {
		t.view.mu.Lock()
		on = !*ofView(t.view)
		*ofView(t.view) = on
		t.view.mu.Unlock()
	}
	t.answer(name + map[bool]string{true: " on", false: " off"}[on])
	return nil
}
