package console

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/hark-cli/hark/internal/secret"
)

// A Printer writes the lines of stderr. It withholds every credential that it
// has been told of and makes of every message one line of harmless characters,
// because much of what it prints comes from a server: neither may that act upon a
// terminal, nor may its text look like a line of hark's, or like a command of a CI
// system. Errors therefore carry text as it came. It may be used by several goroutines.
type Printer struct {
	secret.Redactor
	home io.Writer // stderr
	w    io.Writer // home, unless redirect has named another
	mu   sync.Mutex
	as   func(kind, text string) // takes lines instead of w, when not nil
	// held are lines that wait for divert or release.
	held    []heldLine
	holding bool
}

type heldLine struct{ kind, text string }

// Hold keeps lines until it is known where they go.
func (p *Printer) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = true
	p.as = func(kind, text string) { p.held = append(p.held, heldLine{kind, text}) }
}

// Divert makes as take the lines instead of stderr, those held too.
func (p *Printer) Divert(as func(kind, text string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.as, p.holding = as, false
	for _, h := range p.held {
		as(h.kind, h.text)
	}
	p.held = nil
}

// Release prints what is held after all.
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

// Redirect has lines written to w from now on.
func (p *Printer) Redirect(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w = w
}

// Restore undoes redirect.
func (p *Printer) Restore() { p.Redirect(p.home) }

// Note prints something that was asked for.
func (p *Printer) Note(format string, args ...any) { p.line("", fmt.Sprintf(format, args...)) }

// Notes prints lines that were asked for, each as one of hark's.
func (p *Printer) Notes(lines ...string) {
	for _, l := range lines {
		p.line("", l)
	}
}

// Warning prints what the user should know although the program goes on.
func (p *Printer) Warning(format string, args ...any) {
	p.line("warning: ", fmt.Sprintf(format, args...))
}

// Error prints what ends the program.
func (p *Printer) Error(format string, args ...any) { p.line("error: ", fmt.Sprintf(format, args...)) }

// Hint prints what to do about it.
func (p *Printer) Hint(format string, args ...any) { p.line("hint: ", fmt.Sprintf(format, args...)) }

// Write prints text that is not ours, of debug and stderr in an expression: without
// credentials and harmless, but with its line feeds, which the expression asks for.
func (p *Printer) Write(b []byte) (int, error) {
	text := Lines(p.String(string(b)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.w, text); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Plain prints lines that do not begin as hark's do: those that show the mistake
// below an error, an address to copy, a header. The caller makes sure that no line
// begins with text of someone else.
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
	// Nothing can be done about a stderr that takes no more.
	_, _ = io.WriteString(p.w, "hark: "+kind+text+"\n")
}
