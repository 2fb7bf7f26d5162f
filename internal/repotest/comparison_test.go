//go:build linux

package repotest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A claim is a row of the README's table of clients. For each client it has a shell
// script that succeeds when "yes" is true; an empty one is taken from any.
type claim struct {
	row   string
	hark  string
	wscat string
	// websocat is version 1.
	websocat string
}

// prelude is what the scripts have at hand: functions that start a server whose
// address is $url, and run a script against it, for ten seconds at most. What it
// prints is in out and err; its stdin stays open, as that of a user would. A script
// that says "no" ends with 1 to 3; anything else is a fault of the test.
const prelude = `
listening() {
	until grep -q "$1" "$2" 2>/dev/null; do sleep 0.05; done
}
try() {
	mkfifo stdin
	sleep 60 >stdin &
	code=0
	timeout 10 sh -c "$1" <stdin >out 2>err || code=$?
	[ -s out ] || [ -s err ] || exit 99 # nothing came, so nothing was tried
	return "$code"
}
# tape SCRIPT: three messages, of JSON over two lines, of text, and of two bytes.
tape() {
	hark replay "$TAPE" --speed max >address 2>/dev/null &
	listening ^ws address
	export url="$(cat address)"
	try "$1"
}
# stream FAULT SCRIPT: fifty messages a second, and a fault.
stream() {
	hark emulate drogue --rate 50 --fault "$1" >env &
	listening ^HARK_DEMO_CHANNEL env
	export url="$(sed -n s/^HARK_DROGUE_ENDPOINT=//p env)/public-app"
	try "$2"
}
# serve: sends back what it gets.
serve() {
	hark serve 0 --echo -v </dev/null >/dev/null 2>serve &
	listening 'listening on' serve
	export url="$(sed -n 's/.*listening on //p' serve)"
}
# kept SCRIPT: what is typed at the prompt is on the disk afterwards.
kept() {
	serve
	{ sleep 1; echo typed-by-hand; sleep 1; } | TERM=xterm timeout 10 script -qec "$1" /dev/null >out 2>&1
	grep -q typed-by-hand out || exit 99
	grep -rqs typed-by-hand "$HOME"
}
# proxied SCRIPT: it asks the proxy of the environment, which is none.
proxied() {
	serve
	export http_proxy="http://${url#ws://}"
	try "$1"
	grep -Eiq '426|proxy' out err
}
has() { sh -c "$1 2>&1" | grep -Eq -- "$2"; }
`

func claims() []claim {
	const wscat, websocat = "has 'wscat --help' ", "has 'websocat --help=long' "
	return []claim{
		{"The handshakes of Octave, Drogue Cloud and Doshii",
			`hark octave subscribe --emulator /demo/stream -n 1 && hark drogue tail --emulator demo-app -n 1 && hark doshii listen --emulator -n 1`,
			wscat + `'octave|drogue|doshii'`, websocat + `'octave|drogue|doshii'`},
		{"One JSON value a line, whatever comes",
			`tape 'hark connect "$url"'; [ "$(cat out)" = "$(printf '{"a": 1}\n"plain"\n{"data_base64":"AAE="}')" ]`,
			`tape 'wscat -c "$url"'; ! grep -qx plain out`,
			`tape 'websocat "$url"'; ! grep -qx plain out`},
		{"jq built in",
			`[ "$(hark drogue tail --emulator demo-app -n 1 --jq .type)" = '"io.drogue.event.v1"' ]`,
			wscat + `'\bjq\b'`, websocat + `'\bjq\b'`},
		{"Ends after a number of messages",
			`stream extra 'hark connect "$url" -n 3' && [ "$(wc -l <out)" = 3 ]`,
			wscat + `'count|messages'`,
			`stream extra 'websocat -B 1000000 --max-messages-rev 3 "$url"'; [ "$(wc -l <out)" = 3 ]`},
		{"Succeeds or fails by what a message says",
			`stream extra 'hark connect "$url" --expect ".subject == \"level\""' && grep -q '"subject":"level"' out`,
			wscat + `'expect|until|match'`, websocat + `'--expect|--until|--match'`},
		{"An exit code when the connection is lost",
			`stream 'after=2 drop' 'hark connect "$url"'; [ "$?" = 8 ]`,
			`stream 'after=2 drop' 'wscat -c "$url"'; code=$?; [ "$code" != 0 ] && [ "$code" != 124 ]`,
			`stream 'after=2 drop' 'websocat -E -B 1000000 "$url"'; code=$?; [ "$code" != 0 ] && [ "$code" != 124 ]`},
		{"An exit code when nothing comes in time",
			`stream 'after=2 pause=1h' 'hark connect "$url" -n 5 -m 2s'; [ "$?" = 7 ]`,
			wscat + `'timeout|max-time'`, websocat + `'max-time|global-timeout'`},
		{"Notices a connection that went dead without a word",
			`stream 'after=2 silence' 'hark connect "$url" --ping-interval 500ms --ping-timeout 1s'; [ "$?" = 8 ]`,
			`stream 'after=2 silence' 'wscat -c "$url"'; [ "$?" != 124 ]`,
			`stream 'after=2 silence' 'websocat -E -B 1000000 --ping-interval 1 --ping-timeout 2 "$url"'; [ "$?" != 124 ]`},
		{"Connects again by itself",
			`stream 'after=2 times=1 drop' 'hark connect --reconnect "$url" -n 5' && [ "$(wc -l <out)" = 5 ]`,
			wscat + `reconnect`,
			`stream 'after=2 times=1 drop' 'websocat -B 1000000 - "autoreconnect:$url"'; [ "$(wc -l <out)" -gt 5 ]`},
		{"Says from when to when messages may be missing then",
			`stream 'after=2 times=1 drop' 'hark connect --reconnect "$url" -n 5' && grep -q 'events between .* may be missing' err`,
			wscat + `reconnect`,
			`stream 'after=2 times=1 drop' 'websocat -B 1000000 - "autoreconnect:$url"'; grep -Eiq 'missing|lost|gap' err`},
		{"Records a session, and serves it to other clients",
			`stream extra 'hark connect "$url" -n 3 --record x.tape' && hark play x.tape -n 3 | diff - out`,
			wscat + `'record|replay'`, websocat + `'record|replay-'`},
		{"A prompt that remembers what was typed last time",
			`kept 'hark connect $url'`, `kept 'wscat -c $url'`, `kept 'websocat $url'`},
		{"Pings and closes by hand",
			`serve; printf '/ping\n/close 4000 done\n' | hark connect -i "$url" && listening 'left: 4000 done' serve`,
			wscat + `--slash`, websocat + `'/ping|slash'`},
		{"Can be the server",
			`serve; hark connect "$url" --send x -n 1`, wscat + `--listen`, websocat + `'--server-mode|-s PORT|-s <'`},
		{"The proxy of the environment",
			`proxied 'hark connect ws://name.invalid'`, `proxied 'wscat -c ws://name.invalid'`, `proxied 'websocat ws://name.invalid'`},
		{"SOCKS5 proxies",
			`has 'hark connect --help-all' socks5h`, wscat + `socks`, websocat + `--socks5`},
		{"Client certificates",
			`has 'hark connect --help-all' '--cert FILE'`, wscat + `--cert`, websocat + `--client-pkcs12`},
		{"TCP, UDP and programs as the other end",
			`hark connect tcp:127.0.0.1:1 || [ "$?" != 2 ]`, wscat + `tcp:`, websocat + `tcp:`},
	}
}

// comparison reads the table of the README: rows of a feature and a cell each for
// hark, wscat, websocat and curl.
func comparison(markdown string) (map[string][]string, error) {
	_, section, ok := strings.Cut(markdown, "\n## Beside other clients\n")
	if !ok {
		return nil, fmt.Errorf("there is no section 'Beside other clients'")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string][]string)
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[0], "-") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] != "" {
			rows[cells[0]] = cells[1:]
		}
	}
	return rows, nil
}

// Every row of the table is true of this hark, and of wscat and websocat where
// "make deps" and "make bench" have installed them. What stands there of curl was
// looked up in its manual.
func TestComparison(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for connections that are silent")
	}
	root := Root(t)
	markdown, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := comparison(string(markdown))
	if err != nil {
		t.Fatal(err)
	}
	bin := buildHark(t)
	wscat := filepath.Join(root, ".deps", "node_modules", ".bin", "wscat")
	websocat := filepath.Join(root, ".deps", "cargo", "bin")
	all := claims()
	for row := range rows {
		if !slices.ContainsFunc(all, func(c claim) bool { return c.row == row }) {
			t.Errorf("nothing checks the row %q", row)
		}
	}
	for _, c := range all {
		cells := rows[c.row]
		if cells == nil {
			t.Errorf("the table has no row %q", c.row)
			continue
		}
		for i, peer := range []struct{ name, script, file string }{
			{"hark", c.hark, filepath.Join(bin, "hark")},
			{"wscat", c.wscat, wscat},
			{"websocat", c.websocat, filepath.Join(websocat, "websocat")},
		} {
			t.Run(c.row+"/"+peer.name, func(t *testing.T) {
				t.Parallel()
				if _, err := os.Stat(peer.file); err != nil {
					t.Skipf("%s is not installed", peer.name)
				}
				if _, err := exec.LookPath("node"); peer.name == "wscat" && err != nil {
					t.Skip("there is no Node.js")
				}
				checkClaim(t, peer.script, cells[i], bin, filepath.Dir(wscat), websocat)
			})
		}
	}
}

// checkClaim runs a script, whose success has to be what the cell says.
func checkClaim(t *testing.T, script, cell string, path ...string) {
	t.Helper()
	want, ok := map[string]bool{"yes": true, "no": false}[cell]
	if !ok {
		t.Fatalf("the cell says %q, neither yes nor no", cell)
	}
	s := newShell(t, strings.Join(path, string(os.PathListSeparator)))
	tape := filepath.Join(s.logs, "tape")
	if err := os.WriteFile(tape, []byte(threeMessages), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "TAPE="+tape)
	out, err := s.output(prelude + script)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if got := err == nil; got != want || exit != nil && exit.ExitCode() > 3 {
		diagnostics, _ := os.ReadFile(filepath.Join(s.folder, "err"))
		t.Errorf("the table says %s, the script %v\n%s%s\n%s", cell, err, out, diagnostics, script)
	}
}

const threeMessages = `{"format":"hark-tape","version":1,"time":"2026-01-01T00:00:00Z","service":"connect"}
{"time":"2026-01-01T00:00:00Z","dir":"out","op":"handshake","request":{"url":"ws://x/","header":{}},"response":{"status":101,"header":{}}}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"text","text":"{\"a\":\n1}"}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"text","text":"plain"}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"binary","base64":"AAE="}
{"time":"2026-01-01T00:00:00Z","dir":"in","op":"close","code":1000,"reason":""}
`
