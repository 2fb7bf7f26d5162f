//go:build unix

package lineedit

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/chzyer/readline"
	"github.com/hark-cli/hark/internal/terminal"
)

// A loop runs in readline's own loop: the filter gets each rune before readline does,
// the listener the buffer after it. Nothing else accesses its fields.
type loop struct {
	e      *editor
	screen screen
	lent   bool   // another program has the terminal
	b      []byte // for the terminal, in one write
	key    rune   // handled by the filter
	line   []rune
	pos    int

	history []string // the oldest first
	at      int      // the shown entry; len(history) for none
	draft   []rune   // the line before the history was browsed

	searching bool
	query     []rune
	before    []rune // the line before the search
}

// nothing is a key for which readline only calls the listener.
const nothing = readline.CharBell

// filter decides whether readline handles a rune.
func (l *loop) filter(r rune) (rune, bool) {
	l.key = 0
	switch r {
	case 0: // the end, after everything else
		l.finish()
		return r, true
	case keyWake, keyEnter, keyInterrupt, keyEnd, keyDelete, keyEscape, keyPaste, keyHangup,
		readline.CharPrev, readline.CharNext, readline.CharBckSearch, readline.CharFwdSearch,
		readline.CharTab, readline.CharCtrlL, readline.CharCtrlZ, readline.CharBell:
		l.key = r
		return nothing, true
	case readline.CharBackspace, readline.CharCtrlH:
		if l.searching || l.pos == 0 {
			l.key = readline.CharBackspace
			return nothing, true
		}
		return r, true
	case readline.CharLineStart, readline.CharLineEnd, readline.CharBackward, readline.CharForward,
		readline.CharKill, readline.CharCtrlU, readline.CharCtrlW, readline.CharCtrlY,
		readline.MetaBackward, readline.MetaForward, readline.MetaDelete, readline.MetaBackspace:
		l.searching = false
		return r, true
	case readline.CharTranspose:
		l.searching = false
		if len(l.line) < 2 {
			return nothing, true
		}
		return r, true
	}
	if !unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.M, r) && !unicode.Is(unicode.Co, r) {
		return nothing, true
	}
	if l.searching {
		l.key = r
		return nothing, true
	}
	return r, true
}

// changed is called after each rune with the buffer, and returns the new buffer. It is
// only called in the loop, because Readline is not used.
func (l *loop) changed(line []rune, pos int, _ rune) ([]rune, int, bool) {
	l.line, l.pos = line, pos
	l.act()
	l.refresh()
	l.send()
	return slices.Clone(l.line), l.pos, true
}

// act handles a key that readline does not know.
func (l *loop) act() {
	if l.searching && l.search() {
		return
	}
	switch l.key {
	case keyWake:
		l.wake()
	case keyEnter:
		l.submit("", nil)
	case keyInterrupt:
		l.submit("^C", ErrInterrupt)
	case keyEnd:
		if len(l.line) == 0 {
			l.e.deliver("", io.EOF)
			return
		}
		l.delete()
	case keyHangup:
		l.e.mu.Lock()
		l.e.dead = true
		l.e.mu.Unlock()
		l.e.changed.Broadcast()
	case keyDelete:
		l.delete()
	case keyPaste:
		text := []rune(l.e.pump.pasted())
		l.set(slices.Concat(l.line[:l.pos], text, l.line[l.pos:]), l.pos+len(text))
	case readline.CharPrev:
		l.browse(l.at - 1)
	case readline.CharNext:
		l.browse(l.at + 1)
	case readline.CharBckSearch, readline.CharFwdSearch:
		l.searching, l.query, l.before = true, nil, l.line
		l.at = len(l.history)
	case readline.CharTab:
		l.complete()
	case readline.CharCtrlL:
		l.write(append(l.erase(), "\x1b[H\x1b[2J"...))
	case readline.CharCtrlZ:
		l.e.suspend()
	}
}

func (l *loop) set(line []rune, pos int) { l.line, l.pos = line, pos }

func (l *loop) delete() {
	if l.pos < len(l.line) {
		l.set(slices.Delete(slices.Clone(l.line), l.pos, l.pos+1), l.pos)
	}
}

// submit ends the line, leaves it on the screen and begins a new one.
func (l *loop) submit(mark string, err error) {
	text := string(l.line)
	l.pos = len(l.line)
	b := l.erase()
	b = l.screen.draw(b, l.layout())
	b = append(b, mark+"\r\n"...)
	l.screen = screen{}
	l.write(b)
	l.set(nil, 0)
	l.at = len(l.history)
	l.e.deliver(text, err)
}

// browse shows an entry of the history.
func (l *loop) browse(to int) {
	if to < 0 || to > len(l.history) {
		l.write([]byte("\a"))
		return
	}
	if l.at == len(l.history) {
		l.draft = l.line
	}
	l.at = to
	line := l.draft
	if to < len(l.history) {
		line = []rune(l.history[to])
	}
	l.set(line, len(line))
}

// search handles a key while the history is searched; it returns false for other keys.
func (l *loop) search() bool {
	from := l.at
	switch l.key {
	case keyWake, keyHangup, keyPaste:
		return false
	case keyEnter, keyEnd, keyDelete, readline.CharTab, readline.CharPrev, readline.CharNext, readline.CharCtrlL, readline.CharCtrlZ:
		l.searching = false
		return false
	case keyInterrupt, keyEscape, readline.CharBell:
		l.searching = false
		l.at = len(l.history)
		l.set(l.before, len(l.before))
		return true
	case readline.CharBckSearch:
		from--
	case readline.CharFwdSearch:
		for i := l.at + 1; i < len(l.history); i++ {
			if l.hit(i) {
				return true
			}
		}
		return true
	case readline.CharBackspace:
		l.query = l.query[:max(len(l.query)-1, 0)]
		from = len(l.history) - 1
	case 0:
		return true
	default:
		l.query = append(l.query, l.key)
	}
	for i := min(from, len(l.history)-1); i >= 0; i-- {
		if l.hit(i) {
			return true
		}
	}
	l.write([]byte("\a"))
	return true
}

func (l *loop) hit(i int) bool {
	text := l.history[i]
	at := strings.Index(strings.ToLower(text), strings.ToLower(string(l.query)))
	if at < 0 {
		return false
	}
	l.at = i
	l.set([]rune(text), len([]rune(text[:at])))
	return true
}

// complete inserts the common prefix of all candidates, and lists them if that adds
// nothing.
func (l *loop) complete() {
	if l.e.config.Complete == nil {
		return
	}
	start, words := l.e.config.Complete(l.line, l.pos)
	if len(words) == 0 {
		l.write([]byte("\a"))
		return
	}
	common := []rune(words[0])
	for _, w := range words[1:] {
		n := 0
		for i, r := range []rune(w) {
			if i >= len(common) || common[i] != r {
				break
			}
			n++
		}
		common = common[:n]
	}
	if len(common) > l.pos-start || len(words) == 1 {
		l.set(slices.Concat(l.line[:start], common, l.line[l.pos:]), start+len(common))
		return
	}
	columns, rows := l.size()
	l.write(appendLines(l.erase(), []byte(columnsOf(words, columns, rows-3))))
}

// wake runs the functions passed to do.
func (l *loop) wake() {
	e := l.e
	e.mu.Lock()
	todo := e.todo
	e.todo = nil
	l.remember(e.newLine)
	e.newLine = nil
	if e.closing {
		l.set(nil, 0) // readline would submit it
	}
	e.mu.Unlock()
	for _, f := range todo {
		f()
	}
	l.flush()
}

func (l *loop) remember(lines []string) {
	for _, line := range lines {
		if n := len(l.history); n == 0 || l.history[n-1] != line {
			browsing := l.at < n
			l.history = append(l.history, line)
			if !browsing {
				l.at = len(l.history)
			}
		}
	}
}

// flush writes printed text above the line.
func (l *loop) flush() {
	if l.lent {
		return
	}
	e := l.e
	e.mu.Lock()
	out := e.out
	e.out = nil
	e.mu.Unlock()
	if len(out) == 0 {
		return
	}
	l.write(append(l.erase(), out...))
}

// finish is the last action of the loop.
func (l *loop) finish() {
	l.write(l.erase())
	l.lent = false
	l.flush()
	l.send()
	close(l.e.stopped)
}

// refresh draws the line, unless more keys wait, after which it will be drawn anyway.
func (l *loop) refresh() {
	if l.lent || l.key != keyWake && l.e.pump.busy() {
		return
	}
	l.write(l.screen.draw(l.erase(), l.layout()))
}

func (l *loop) layout() layout {
	columns, rows := l.size()
	prompt := ""
	if l.searching {
		prompt = "(search)'" + string(l.query) + "': "
	} else {
		l.e.mu.Lock()
		prompt = l.e.prompt
		l.e.mu.Unlock()
	}
	return arrange(prompt, l.line, l.pos, columns).within(rows - 1)
}

func (l *loop) size() (columns, rows int) {
	columns, rows = terminal.Size(l.e.config.Out)
	if columns < 1 || rows < 1 {
		return 80, 24
	}
	return columns, rows
}

// erase returns the sequence that removes the line from the screen.
func (l *loop) erase() []byte {
	columns, _ := l.size()
	return l.screen.erase(nil, columns)
}

func (l *loop) write(b []byte) { l.b = append(l.b, b...) }

// send writes the drawn output to the terminal.
func (l *loop) send() {
	if len(l.b) == 0 {
		return
	}
	_, err := l.e.config.Out.Write(l.b)
	l.b = l.b[:0]
	l.e.mu.Lock()
	l.e.dead = l.e.dead || err != nil
	l.e.mu.Unlock()
	l.e.changed.Broadcast()
}
