package output

import (
	"errors"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
)

// An Extract is a Condition that is never met: it keeps what an expression makes of the
// event that is being printed.
type Extract struct {
	watch
	text string
}

// NewExtract returns an Extract for f.
func NewExtract(f *jq.Filter) *Extract {
	return &Extract{watch: watch{filter: f, needs: f.Needs()}}
}

// Text returns the first value that the expression yielded for the last event: a string as
// it is, and a number or a boolean as JSON. It is "" if there was none, or if that was
// null or failed. Only the goroutine that calls Writer.Event may call it.
func (x *Extract) Text() string { return x.text }

func (x *Extract) verdict(*eventView) error { return nil }
func (x *Extract) outcomes() []Outcome      { return nil }

func (x *Extract) look(w *Writer, s *eventView) error {
	var err error
	if x.text, err = x.of(w, s); err != nil {
		return w.failure(x.filter, s.ev, err)
	}
	return nil
}

// of returns the text for an event.
func (x *Extract) of(w *Writer, s *eventView) (string, error) {
	if s.native && x.native != nil {
		if outs, ok := x.native.Outputs(); ok {
			return nativeText(outs)
		}
	}
	if w.decode(s); s.unseen != nil {
		return "", s.unseen
	}
	if x.run == nil {
		x.run = x.filter.Pipeline(w.opts.Context)
	}
	if len(s.data) > bufferSize {
		defer x.run.Forget()
	}
	x.run.Run(s.value)
	v, ok, err := x.run.Next()
	if err != nil || !ok {
		return "", err
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	b, err := eventjson.AppendValue(nil, v)
	if err != nil {
		return "", err
	}
	return scalar(b)
}

// nativeText is the text of the first of some values.
func nativeText(outs []jq.Output) (string, error) {
	switch {
	case len(outs) == 0:
		return "", nil
	case outs[0].Whole: // only objects are evaluated natively
		return scalar([]byte("{}"))
	case outs[0].Kind == eventjson.KindString:
		return outs[0].Text(), nil
	}
	return scalar(outs[0].JSON)
}

// scalar is the text of a JSON value that is not a string.
func scalar(b []byte) (string, error) {
	switch {
	case string(b) == "null":
		return "", nil
	case b[0] == '{', b[0] == '[':
		return "", errors.New("expected a string or a number, not an object or array")
	}
	return string(b), nil
}
