// Recording makes the picture of a terminal in the README: it types the commands of
// session.txt, runs them with the real program in a pseudo-terminal, writes what
// appears as an asciicast (version 2), and draws that as an animated SVG.
//
// The picture does not depend on the machine: commands run in an empty home with a
// fixed environment, and the prompt is a dollar sign.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
)

const (
	width, height = 92, 26

	keyTime   = 30 * time.Millisecond   // from one typed character to the next
	readTime  = 1500 * time.Millisecond // after a command
	idleTime  = 800 * time.Millisecond  // the longest pause while one runs
	promptEsc = "\x1b[32m$\x1b[0m "
)

// An event of a cast: output, or input when a command was typed.
type event struct {
	at   time.Duration
	kind string // "o" or "i"
	data string
}

func main() {
	hark := flag.String("hark", "../../hark", "the program")
	cast := flag.String("cast", "../../docs/recording.cast", "the cast to write")
	svg := flag.String("svg", "../../docs/recording.svg", "the picture to write")
	flag.Parse()
	if err := run(*hark, *cast, *svg); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(hark, cast, svg string) error {
	session, err := os.ReadFile("session.txt")
	if err != nil {
		return err
	}
	events, err := record(hark, strings.Split(strings.TrimSpace(string(session)), "\n"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(cast, encodeCast(events), 0o644); err != nil {
		return err
	}
	return os.WriteFile(svg, draw(events), 0o644)
}

// record types and runs commands. Time passes in the recording while a command is
// typed, not here.
func record(hark string, commands []string) ([]event, error) {
	hark, err := filepath.Abs(hark)
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "recording")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	if err := os.Symlink(hark, filepath.Join(home, "hark")); err != nil {
		return nil, err
	}
	var events []event
	var now time.Duration
	add := func(kind, data string) { events = append(events, event{now, kind, data}) }
	for _, command := range commands {
		add("o", promptEsc)
		now += keyTime * 10
		for _, key := range command {
			add("o", string(key))
			now += keyTime
		}
		add("i", command+"\n")
		add("o", "\r\n")
		last := time.Now()
		err := runInTerminal(home, command, func(data []byte) {
			now += min(time.Since(last), idleTime)
			last = time.Now()
			add("o", string(data))
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		now += readTime
	}
	add("o", promptEsc)
	now += 2 * readTime
	add("o", "")
	return events, nil
}

// runInTerminal runs a command in a pseudo-terminal and passes on its output.
func runInTerminal(home, command string, show func([]byte)) error {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + home + ":/usr/bin:/bin", "HOME=" + home, "TERM=xterm-256color", "LANG=C.UTF-8"}
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: height, Cols: width})
	if err != nil {
		return err
	}
	defer terminal.Close()
	var pending []byte // the beginning of a character
	buffer := make([]byte, 64<<10)
	for {
		n, err := terminal.Read(buffer)
		data := append(pending, buffer[:n]...)
		whole := len(bytes.ToValidUTF8(data, nil))
		if len(data)-whole >= 4 { // not a character that is still coming
			whole = len(data)
		}
		pending = bytes.Clone(data[whole:])
		if whole > 0 {
			show(data[:whole])
		}
		if errors.Is(err, syscall.EIO) || errors.Is(err, io.EOF) { // all have closed it
			return cmd.Wait()
		}
		if err != nil {
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
	}
}

// encodeCast writes a cast: a line for the terminal, and one for each event.
func encodeCast(events []event) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"version":2,"width":%d,"height":%d,"title":"hark","env":{"TERM":"xterm-256color","SHELL":"/bin/sh"}}`+"\n", width, height)
	for _, e := range events {
		data, _ := json.Marshal(e.data) // a string always works
		fmt.Fprintf(&b, "[%.3f,%q,%s]\n", e.at.Seconds(), e.kind, data)
	}
	return b.Bytes()
}
