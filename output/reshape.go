package output

import (
	"slices"

	"github.com/hark-cli/hark/internal/jq"
)

// Reshape has w print what comes from now on as opts say. Conditions, counters and
// what is kept of events stay as they are, and so do Run, Start and Context. What
// waits is written before. Like Event it is for one goroutine at a time.
func (w *Writer) Reshape(opts Options) error {
	if w.err != nil {
		return w.err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	opts.defaults()
	if _, err := ParseFormat(string(opts.Format)); err != nil {
		panic(err)
	}
	opts.Run, opts.Start, opts.Context = w.opts.Run, w.opts.Start, w.opts.Context
	opts.Conditions, opts.Keep = w.opts.Conditions, w.opts.Keep
	w.opts = opts
	w.dress()
	return nil
}

// Await puts the conditions of Until instead of those that w has. Outcomes must
// not be asked for meanwhile.
func (w *Writer) Await(conditions ...Condition) {
	w.catchUp()
	var all []Condition
	at := 0 // behind those that weigh more
	for _, c := range w.opts.Conditions {
		switch c.(type) {
		case *until:
			continue
		case *failIf:
			at = len(all) + 1
		}
		all = append(all, c)
	}
	w.opts.Conditions = slices.Insert(all, at, conditions...)
	w.dress()
}

// maxSelection is how many members all expressions together may ask for; with more, to look
// for them takes longer than to make all of them.
const maxSelection = 32

// Evaluates reports whether the filter needs the values of events: it cannot be evaluated
// on their bytes.
func (w *Writer) Evaluates() bool { return w.opts.Filter != nil && w.native == nil }

// dress does what follows from the options.
func (w *Writer) dress() {
	w.filter = nil // made anew when it is needed
	w.sees, w.selection = w.opts.Filter != nil, nil
	w.set, w.native = &jq.Set{}, nil
	if w.sees {
		w.selection = w.opts.Filter.Needs()
		w.native = w.set.Add(w.opts.Filter)
	}
	w.natively = w.native != nil
	for _, c := range w.opts.Conditions {
		for _, x := range c.watches() {
			x.addTo(w.set)
			w.natively = w.natively || x.native != nil
			if !w.sees {
				w.sees, w.selection = true, x.needs
			} else {
				w.selection = w.selection.Union(x.needs)
			}
		}
	}
	w.parallel = parallel{}
	if w.opts.Parallel > 1 && w.Evaluates() && w.opts.Filter.Pure() {
		w.parallel.batches = w.opts.Parallel
	}
	if w.selection.Len() > maxSelection {
		w.selection = nil
	}
	w.lines.style, w.lines.delim = newStyle(w.opts.Style), '\n'
	if w.opts.Null {
		w.lines.delim = 0
	}
}
