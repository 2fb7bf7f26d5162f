//go:build unix

package lineedit

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/chzyer/readline"
	"github.com/hark-cli/hark/internal/terminal"
)

// maxWaiting is the limit of printed text that waits for the terminal, in bytes.
const maxWaiting = 256 << 10

// An editor is the Editor for terminals.
type editor struct {
	config  Config
	terms   *terminal.Mode // the original modes of the terminal
	pump    *pump
	signals chan os.Signal
	watched sync.WaitGroup
	stopped chan struct{} // closed when the loop has ended
	unguard func()        // nil if there is no guard

	mu      sync.Mutex
	changed *sync.Cond
	out     []byte   // printed, not yet on the terminal
	todo    []func() // for the loop
	prompt  string
	news    []event // for Line
	newLine []string
	closing bool
	dead    bool // closed

	loop loop
}

// An event is what Line returns.
type event struct {
	text string
	err  error
}

// New sets the terminal to raw mode. Close restores it.
func New(c Config) (Editor, error) {
	e := &editor{config: c, prompt: c.Prompt, stopped: make(chan struct{})}
	e.changed = sync.NewCond(&e.mu)
	e.loop = loop{e: e, history: append([]string(nil), c.History...)}
	e.loop.at = len(e.loop.history)
	var err error
	if e.pump, err = newPump(int(c.In.Fd())); err != nil {
		return nil, err
	}
	// Without a guard, only a crash leaves the terminal in raw mode.
	e.unguard, _ = guard(c.In)
	if e.terms, err = terminal.ModeOf(c.In); err == nil {
		err = e.raw()
	}
	if err != nil {
		e.pump.close()
		e.unguarded()
		return nil, err
	}
	rl, err := readline.NewEx(&readline.Config{
		Stdin: e.pump, Stdout: io.Discard, Stderr: io.Discard,
		HistoryLimit: -1, DisableAutoSaveHistory: true,
		FuncIsTerminal:      func() bool { return false }, // so that it draws nothing
		FuncMakeRaw:         func() error { return nil },
		FuncExitRaw:         func() error { return nil },
		FuncGetWidth:        func() int { return 80 },
		FuncOnWidthChanged:  func(func()) {},
		FuncFilterInputRune: e.loop.filter,
		Listener:            readline.FuncListener(e.loop.changed),
	})
	if err != nil {
		e.pump.close()
		e.cooked()
		e.unguarded()
		return nil, err
	}
	e.pump.resume()
	rl.Terminal.KickRead() // once: no key reaches it
	e.signals = make(chan os.Signal, 4)
	signal.Notify(e.signals, syscall.SIGWINCH, syscall.SIGCONT)
	e.watched.Go(e.watch)
	e.do(func() {})
	return e, nil
}

// watch notifies the loop of a new size, and of a resumption of the process, which may
// have changed the modes of the terminal.
func (e *editor) watch() {
	for s := range e.signals {
		e.do(func() {
			if s == syscall.SIGCONT && !e.loop.lent {
				_ = e.raw()
			}
		})
	}
}

// raw sets raw mode, and bracketed paste.
func (e *editor) raw() error {
	if err := terminal.SetRaw(e.config.In); err != nil {
		return err
	}
	e.pump.typedBefore(terminal.Unread(e.config.In))
	_, err := e.config.Out.WriteString("\x1b[?2004h")
	return err
}

// cooked sets the modes in which the terminal was found.
func (e *editor) cooked() {
	_, _ = e.config.Out.WriteString("\x1b[?2004l")
	_ = e.terms.Set(e.config.In)
}

// do calls f in the loop, and then redraws the line.
func (e *editor) do(f func()) {
	e.mu.Lock()
	e.todo = append(e.todo, f)
	e.mu.Unlock()
	e.pump.wake()
}

// Line implements Editor.
func (e *editor) Line() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.news) == 0 && !e.closing && !e.dead {
		e.changed.Wait()
	}
	if len(e.news) == 0 {
		return "", io.EOF
	}
	n := e.news[0]
	e.news = e.news[1:]
	return n.text, n.err
}

func (e *editor) deliver(text string, err error) {
	e.mu.Lock()
	e.news = append(e.news, event{text, err})
	e.mu.Unlock()
	e.changed.Broadcast()
}

// Print implements Editor.
func (e *editor) Print(text []byte) {
	e.mu.Lock()
	for len(e.out) > maxWaiting && !e.closing && !e.dead {
		e.changed.Wait()
	}
	e.mu.Unlock()
	e.Post(text)
}

// Post implements Editor.
func (e *editor) Post(text []byte) {
	e.mu.Lock()
	e.out = appendLines(e.out, text)
	e.mu.Unlock()
	e.pump.wake()
}

// SetPrompt implements Editor.
func (e *editor) SetPrompt(prompt string) {
	e.mu.Lock()
	e.prompt = prompt
	e.mu.Unlock()
	e.pump.wake()
}

// Remember implements Editor.
func (e *editor) Remember(line string) {
	e.mu.Lock()
	e.newLine = append(e.newLine, line)
	e.mu.Unlock()
	e.pump.wake()
}

// Lend implements Editor.
func (e *editor) Lend(f func() error) error {
	e.pump.pause()
	left := make(chan struct{})
	e.do(func() {
		e.loop.write(e.loop.erase())
		e.loop.send()
		e.loop.lent = true
		e.cooked()
		close(left)
	})
	select {
	case <-left:
	case <-e.stopped:
		return io.EOF
	}
	err := f()
	// f may ask the user: read keys only afterwards.
	back := make(chan struct{})
	e.do(func() {
		e.loop.lent = false
		_ = e.raw()
		close(back)
	})
	select {
	case <-back:
	case <-e.stopped:
	}
	e.pump.resume()
	return err
}

// Close implements Editor.
func (e *editor) Close() error {
	e.mu.Lock()
	again := e.closing
	e.closing = true
	e.mu.Unlock()
	e.changed.Broadcast()
	if again {
		return nil
	}
	signal.Stop(e.signals)
	close(e.signals)
	e.watched.Wait()
	e.pump.close()
	select {
	case <-e.stopped:
	case <-time.After(time.Second): // the terminal does not accept output
	}
	e.cooked()
	e.unguarded()
	return nil
}

func (e *editor) unguarded() {
	if e.unguard != nil {
		e.unguard()
	}
}

// suspend stops the process, as the terminal does for Ctrl-Z in its original modes.
func (e *editor) suspend() {
	e.loop.write(e.loop.erase())
	e.loop.send()
	e.pump.pause()
	defer e.pump.resume()
	e.cooked()
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	if err := syscall.Kill(0, syscall.SIGTSTP); err == nil {
		select {
		case <-resumed:
		case <-time.After(500 * time.Millisecond): // the signal is ignored, so there would be no resumption
		}
	}
	_ = e.raw()
}

// A pump reads the terminal and passes keys to readline, wake-ups first.
type pump struct {
	fd      int
	control [2]*os.File // a pipe that wakes the reader

	mu      sync.Mutex
	changed *sync.Cond
	keys    []byte
	keyboard
	awake  bool // a wake-up waits
	paused bool
	idle   bool // the reader has seen paused
	closed bool
	done   sync.WaitGroup
	early  int // unread bytes that were typed in the original modes
}

// newPump returns a pump that does not read until resume is called.
func newPump(fd int) (*pump, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &pump{fd: fd, control: [2]*os.File{r, w}, paused: true}
	p.changed = sync.NewCond(&p.mu)
	p.done.Go(p.read)
	return p, nil
}

// read reads keys until the pump is closed or the terminal hangs up. It waits with poll
// rather than read, so that it does not consume input for another program that has the
// terminal for a while.
func (p *pump) read() {
	buf := make([]byte, 4096)
	for {
		p.mu.Lock()
		for p.paused && !p.closed {
			p.idle = true
			p.changed.Broadcast()
			p.changed.Wait()
		}
		p.idle = false
		closed, partial := p.closed, p.partial()
		p.mu.Unlock()
		if closed {
			return
		}
		patience := -1
		if partial {
			patience = 50 // milliseconds, for the rest of a key
		}
		typed, told, err := terminal.Wait(p.fd, int(p.control[0].Fd()), patience)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			p.hangup()
			return
		case !typed && !told:
			p.mu.Lock()
			p.keys = p.timeout(p.keys)
			p.mu.Unlock()
			p.changed.Broadcast()
			continue
		case told:
			_, _ = p.control[0].Read(buf[:64])
			continue
		}
		got, err := syscall.Read(p.fd, buf)
		if err == syscall.EINTR || err == syscall.EAGAIN {
			continue
		}
		if err != nil || got <= 0 {
			p.hangup()
			return
		}
		p.mu.Lock()
		p.ends(buf[:got])
		p.keys = p.feed(p.keys, buf[:got])
		p.mu.Unlock()
		p.changed.Broadcast()
	}
}

// typedBefore returns how many unread bytes were typed before raw mode was set.
func (p *pump) typedBefore(n int) {
	p.mu.Lock()
	p.early = n
	p.mu.Unlock()
}

// ends replaces NUL by Ctrl-D: Linux turns Ctrl-D in line mode into NUL, which is read
// after a change of mode (n_tty.c, __DISABLED_CHAR).
func (p *pump) ends(b []byte) {
	const ctrlD = 4
	for i := range b[:min(p.early, len(b))] {
		if b[i] == 0 {
			b[i] = ctrlD
		}
	}
	p.early -= min(p.early, len(b))
}

func (p *pump) hangup() {
	p.mu.Lock()
	p.keys = append(p.keys, string(keyHangup)...)
	p.mu.Unlock()
	p.changed.Broadcast()
}

// Read implements io.Reader for readline.
func (p *pump) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.keys) == 0 && !p.awake {
		if p.closed {
			return 0, io.EOF
		}
		p.changed.Wait()
	}
	if p.awake {
		p.awake = false
		return copy(b, string(keyWake)), nil
	}
	n := 0
	for n < len(p.keys) {
		size := keyLength(p.keys[n:])
		if n+size > len(b) {
			break
		}
		n += size
	}
	copy(b, p.keys[:n])
	p.keys = append(p.keys[:0], p.keys[n:]...)
	return n, nil
}

// Close implements io.Closer for readline.
func (p *pump) Close() error { return nil }

// wake calls the loop without a key.
func (p *pump) wake() {
	p.mu.Lock()
	p.awake = true
	p.mu.Unlock()
	p.changed.Broadcast()
}

// busy reports whether more keys wait.
func (p *pump) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.keys) > 0
}

// pasted is the text of the next keyPaste.
func (p *pump) pasted() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pastes) == 0 {
		return ""
	}
	text := p.pastes[0]
	p.pastes = p.pastes[1:]
	return text
}

// pause stops reading from the terminal, and returns when no read is active.
func (p *pump) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = true
	p.kick()
	for !p.idle && !p.closed {
		p.changed.Wait()
	}
}

func (p *pump) resume() {
	p.mu.Lock()
	p.paused = false
	p.mu.Unlock()
	p.changed.Broadcast()
}

func (p *pump) kick() { fmt.Fprint(p.control[1], ".") }

// close ends the reader; readline gets EOF after a last wake-up.
func (p *pump) close() {
	p.mu.Lock()
	p.closed, p.awake = true, true
	p.keys = nil
	p.kick()
	p.mu.Unlock()
	p.changed.Broadcast()
	p.done.Wait()
	p.control[0].Close()
	p.control[1].Close()
}
