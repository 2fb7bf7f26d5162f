package console

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/hark-cli/hark/internal/secret"
)

// A Printer writes the lines of stderr. It removes all registered credentials, and
// prints every message as one line without control characters, because much of the text
// comes from a server: it must not control a terminal, nor look like a line of hark or
// like a command of a CI system. Errors may therefore contain text of a server
// unchanged. A Printer may be used concurrently.
type Printer struct {
	secret.Redactor
	home io.Writer // stderr
	w    io.Writer // home, or the writer of Redirect
	mu   sync.Mutex
	as   func(kind, text string) // gets lines instead of w, if not nil
	// held are lines that wait for Divert or Release.
	held    []heldLine
	holding bool
}

type heldLine struct{ kind, text string }

// Hold buffers lines until Divert or Release.
func (p *Printer) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = true
	p.as = func(kind, text string) { p.held = append(p.held, heldLine{kind, text}) }
}

// Divert passes lines to as instead of stderr, including buffered ones.
func (p *Printer) Divert(as func(kind, text string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.as, p.holding = as, false
	for _, h := range p.held {
		as(h.kind, h.text)
	}
	p.held = nil
}

// Release prints the buffered lines.
func (p *Printer) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.held {
		_, _ = io.WriteString(p.w, "hark: "+strings.TrimPrefix(h.kind+": ", "note: ")+h.text+"\n")
	}
	if p.holding {
		p.as, p.held, p.holding = nil, nil, false
	}
}

// NewPrinter returns a printer that writes to w.
func NewPrinter(w io.Writer) *Printer { return &Printer{home: w, w: w} }

// Redirect writes lines to w from now on.
func (p *Printer) Redirect(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w = w
}

// Restore undoes Redirect.
func (p *Printer) Restore() { p.Redirect(p.home) }

// Note prints information that was requested.
func (p *Printer) Note(format string, args ...any) { p.line("", fmt.Sprintf(format, args...)) }

// Notes prints lines that were requested, each as a line of hark.
func (p *Printer) Notes(lines ...string) {
	for _, l := range lines {
		p.line("", l)
	}
}

// Warning prints a warning.
func (p *Printer) Warning(format string, args ...any) {
	p.line("warning: ", fmt.Sprintf(format, args...))
}

// Error prints the error that ends the program.
func (p *Printer) Error(format string, args ...any) { p.line("error: ", fmt.Sprintf(format, args...)) }

// Hint prints advice on the error.
func (p *Printer) Hint(format string, args ...any) { p.line("hint: ", fmt.Sprintf(format, args...)) }

// Write prints text from outside, such as the output of debug and stderr in an
// expression: without credentials and control characters, but with line feeds.
func (p *Printer) Write(b []byte) (int, error) {
	text := Lines(p.String(string(b)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.w, text); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Plain prints lines without the prefix of hark: details below an error, an address to
// copy, a header. The caller must make sure that no line begins with text from outside.
func (p *Printer) Plain(lines []string) {
	if len(lines) == 0 {
		return
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight(Line(p.String(line)), " ") + "\n")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.as != nil {
		p.as("note", strings.TrimRight(b.String(), "\n"))
		return
	}
	_, _ = io.WriteString(p.w, b.String())
}

func (p *Printer) line(kind, text string) {
	text = strings.TrimRight(Line(p.String(text)), " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.as != nil {
		p.as(cmp.Or(strings.TrimSuffix(kind, ": "), "note"), text)
		return
	}
	// A failure to write to stderr is ignored.
	_, _ = io.WriteString(p.w, "hark: "+kind+text+"\n")
}
