//go:build unix

package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// startWatch runs a script, and waits until hark is connected.
func startWatch(t *testing.T, script string) *tty {
	t.Helper()
	x := startTTY(t, script)
	x.await("the connection", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.open == 1
	})
	return x
}

// --watch shows a row for each key, whatever comes and while the terminal is resized,
// and leaves the screen as it was. What is counted, recorded and delivered is the same as
// without it.
func TestWatchOnTerminal(t *testing.T) {
	t.Parallel()
	x := startWatch(t, `$HARK connect $URL --watch --watch-by .k --watch-value .v --jq-timeout 0 -n 103 --to file:$HOME/out.ndjson </dev/null; echo code $?`)
	x.resize(80, 24)
	x.say(`{"k":"a","v":1}`)
	x.say(`{"k":"\u001b[2Jb","v":"x\ny"}`)
	x.shows("2 keys")
	x.shows("KEY")
	x.shows("[2Jb")
	for i, size := range [][2]int{{40, 10}, {200, 60}, {80, 24}} {
		x.resize(size[0], size[1])
		for n := range 33 {
			x.say(fmt.Sprintf(`{"k":"key %02d","v":%d}`, n, i))
		}
		x.await("the table does not fill the screen", func() bool {
			lines := strings.Split(x.screen(), "\n")
			return strings.Contains(lines[0], "35 keys") && strings.Contains(x.screen(), "key 01 ") && (i == 1) == strings.Contains(x.screen(), "key 32 ") &&
				strings.Contains(lines[1], "LAST MINUTE") == (i > 0)
		})
	}
	x.say(`{"k":"a","v":1}`)
	x.say(`{"k":"a","v":2}`)
	x.shows("code 0")
	// The emulator moves the first screen when the second one gets smaller.
	if s := x.screen(); !strings.HasSuffix(s, "code 0") || strings.Contains(s, "LAST MINUTE") || !x.vt.CursorVisible() {
		t.Errorf("the screen is not as it was:\n%s", s)
	}
	got, err := os.ReadFile(filepath.Join(x.home, "out.ndjson"))
	if n := strings.Count(string(got), "\n"); err != nil || n != 103 || !strings.HasPrefix(string(got), `{"k":"a","v":1}`+"\n") {
		t.Errorf("%d lines delivered, %v", n, err)
	}
}

// A signal restores the screen, and what was logged meanwhile is printed then.
func TestWatchSignals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		keys string
		sent syscall.Signal
		code string
	}{{keys: "\x03", code: "code 130"}, {sent: syscall.SIGTERM, code: "code 143"}} {
		x := startWatch(t, `trap : INT; echo before; $HARK connect $URL --watch --jq-timeout 0; echo code $?`)
		x.say("hello")
		x.shows("1 key")
		if tt.keys != "" {
			x.keys(tt.keys)
		} else {
			for _, pid := range x.harks() {
				syscall.Kill(pid, tt.sent)
			}
		}
		x.shows(tt.code)
		s := x.screen()
		if !strings.HasPrefix(s, "before\n") || strings.Contains(s, "KEY") || !strings.Contains(s, "hark: ") {
			t.Errorf("the screen is not as it was:\n%s", s)
		}
		if !x.vt.CursorVisible() {
			t.Error("the cursor is hidden")
		}
	}
}

// Ctrl-Z restores the screen as well, and the table returns.
func TestWatchSuspended(t *testing.T) {
	t.Parallel()
	x := startWatch(t, `set -m; echo before; $HARK connect $URL --watch --jq-timeout 0 -n 2; echo suspended; fg >/dev/null; echo code $?`)
	x.say("hello")
	x.shows("1 event,")
	x.keys("\x1a")
	x.shows("suspended") // on the screen of the shell; hark is continued at once
	x.say("hello")
	x.shows("code 0")
}
