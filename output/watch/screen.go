package watch

import (
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// enter changes to the alternate screen and hides the cursor; leave undoes that.
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	// interval is the time between two drawings.
	interval = 100 * time.Millisecond
	// stopGrace is how long Stop waits for a terminal that does not take output.
	stopGrace = 2 * time.Second
)

// A Screen draws a Table on a terminal in a goroutine of its own, so that a terminal
// that takes no output holds nothing up. It may be used concurrently.
type Screen struct {
	// Out is the terminal.
	Out io.Writer
	// Size returns its size. It is asked for each drawing, because terminals are
	// resized.
	Size  func() (columns, rows int)
	Color bool
	// Failed is called when the terminal cannot be written to.
	Failed func(error)

	mu      sync.Mutex // of what follows
	table   Table
	note    string
	changed bool

	writing sync.Mutex // of the terminal and what follows
	on      bool
	over    bool

	stop, done chan struct{}
}

// Start begins to draw.
func (s *Screen) Start() {
	s.stop, s.done = make(chan struct{}), make(chan struct{})
	go s.run()
}

// Add adds an event to the table.
func (s *Screen) Add(key, value string, number float64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.Add(key, value, number, at)
	s.changed = true
}

// Note shows a message on the last line.
func (s *Screen) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note, s.changed = text, true
}

// Stop ends the drawing and restores the screen, unless the terminal takes no output.
// It may be called several times.
func (s *Screen) Stop() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.writing.Lock()
		defer s.writing.Unlock()
		if !s.over {
			s.over = true
			close(s.stop)
			s.show(false)
		}
	}()
	select {
	case <-ended:
	case <-time.After(stopGrace):
	}
}

// Suspend restores the screen until Resume.
func (s *Screen) Suspend() {
	s.writing.Lock()
	s.show(false)
}

// Resume undoes Suspend.
func (s *Screen) Resume() {
	s.mu.Lock()
	s.changed = true
	s.mu.Unlock()
	s.writing.Unlock()
}

// show changes between the two screens. s.writing must be held.
func (s *Screen) show(on bool) {
	if on == s.on {
		return
	}
	s.on = on
	text := leave
	if on {
		text = enter
	}
	_, _ = io.WriteString(s.Out, text) // the next drawing reports a failure
}

func (s *Screen) run() {
	defer close(s.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var drawn time.Time
	var columns, rows int
	for {
		now := time.Now()
		c, r := s.Size()
		s.mu.Lock()
		due := s.changed || c != columns || r != rows || now.Sub(drawn) >= time.Second // ages
		s.mu.Unlock()
		if due {
			columns, rows, drawn = c, r, now
			if err := s.draw(c, r, now); err != nil {
				s.Failed(err)
				return
			}
		}
		select {
		case <-ticker.C:
		case <-s.stop:
			return
		}
	}
}

// draw draws the table. The lines are made while events wait, the terminal is written
// to while they do not.
func (s *Screen) draw(columns, rows int, now time.Time) error {
	if columns <= 0 || rows <= 0 {
		columns, rows = 80, 24
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.over {
		return nil
	}
	s.mu.Lock()
	lines := s.table.Draw(columns, rows, s.Color, s.note, now)
	s.changed = false
	s.mu.Unlock()
	s.show(true)
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(s.Out, b.String())
	return err
}

// Rows returns copies of the rows of the table.
func (s *Screen) Rows() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Row
	for _, r := range s.table.Rows() {
		out = append(out, *r)
	}
	return out
}
