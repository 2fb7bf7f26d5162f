//go:build unix

package commands

import (
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/hark-cli/hark/internal/emulator"
)

// Credentials as the prompt test has them, one of each kind; the first letters of
// each are looked for as well, so that no part of one may remain.
var promptCanaries = map[string]string{
	"BEARER":   "bearerCanary-0123456789/+=&?~",
	"API_KEY":  "apikeyCanary-0123456789/+=&?~",
	"COOKIE":   "cookieCanary-0123456789/+=&?~",
	"ADDRESS":  "addressCanary-0123456789/+=&?~",
	"QUERY":    "queryCanary-0123456789/+=&?~",
	"PROXY":    "proxyCanary-0123456789/+=&?~",
	"PASSWORD": "basicCanary-0123456789/+=&?~",
}

// shortCanary is a credential that is a number.
const shortCanary = "918273"

// needlessly percent-encodes every byte.
func needlessly(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString("%" + hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

// betrays searches for canaries, in any encoding, and for their first letters.
func betrays(t *testing.T, where, text string, canaries ...string) {
	t.Helper()
	for _, c := range canaries {
		for _, form := range append(disguises(c), c[:min(len(c), 9)], needlessly(c)) {
			if strings.Contains(text, form) {
				t.Errorf("%s shows %s as %q:\n%s", where, c, form, text)
				break
			}
		}
	}
}

// files searches all files that hark has written for canaries.
func (x *tty) files(canaries ...string) {
	x.t.Helper()
	err := filepath.WalkDir(x.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		betrays(x.t, d.Name(), path+string(text), canaries...)
		return err
	})
	if err != nil {
		x.t.Error(err)
	}
}

// typedOrReceived are the lines of the screen that the person has typed, and those
// with messages of the server, which are shown as they are.
var typedOrReceived = regexp.MustCompile(`(?m)^((\(closed\) )?[<>]|…) .*$`)

// said searches the output of hark on the screen for canaries, after it has run all
// lines typed so far.
func (x *tty) said(after string, canaries ...string) {
	x.t.Helper()
	x.keys("/done-" + after + "\r")
	x.shows("unknown command /done-" + after)
	text := typedOrReceived.ReplaceAllString(x.screen(), "")
	betrays(x.t, "the screen after "+after, text, canaries...)
	betrays(x.t, "the screen after "+after, strings.ReplaceAll(text, "\n", ""), canaries...)
}

// Credentials that hark knows are typed and received: they are in no file, and not in
// the output of hark.
func TestCanaryPrompt(t *testing.T) {
	t.Parallel()
	all := []string{shortCanary}
	var script strings.Builder
	script.WriteString("cd $HOME; export HARK_NO_WARN_SECRETS=true\n")
	for name, c := range promptCanaries {
		all = append(all, c)
		script.WriteString(name + "='" + c + "'\n")
	}
	// What is written into an address is percent-encoded as needed, or more than that.
	script.WriteString("AT=${URL#ws://}\nexec $HARK connect \"ws://alice:" + needlessly(promptCanaries["ADDRESS"]) + "@$AT/?x=1&to%6Ben=" +
		needlessly(promptCanaries["QUERY"]) + `&key=` + url.QueryEscape(promptCanaries["QUERY"]) + `" -v --include -H "X-Auth: Bearer $BEARER" -H "X-Api-Key: $API_KEY" ` +
		`-H "Cookie: theme=dark; id=$COOKIE" --proxy-user "alice:$PROXY" -u "bob:$PASSWORD" -H "X-Secret: ` + shortCanary + `"`)
	x := startTTY(t, script.String())
	x.ready()
	x.said("connecting", all...)
	for _, c := range all {
		x.keys("say " + c + "\r{\"x\":\r\"" + c + "\"}\r//" + c + "\r")
		x.sent("say " + c)
		x.sent("{\"x\":\n\"" + c + "\"}")
		x.sent("/" + c)
		if c != shortCanary { // that many pings can be sent
			x.keys("/ping " + c + "\r/close " + c + "\r")
		}
		x.keys("/" + c + "\r/jq ." + c + "\r/file " + c + "\r")
		x.said("mistakes-with-"+c[:4], all...)
	}
	x.keys("/record recording\r")
	for _, c := range all {
		x.say(`{"` + c + `":1}`)
		x.say(c)
		x.keys("recorded " + c + "\r")
		x.sent("recorded " + c)
	}
	x.say(`{"pin":` + shortCanary + `,"text":"` + promptCanaries["COOKIE"] + `"}`)
	x.keys("/binary " + "00ff\r")
	x.sent("\x00\xff")
	x.said("received", all...)
	for _, command := range []string{"/record off", "/save smoke", "/history", "/status", "/help", "/format " + all[1]} {
		x.keys(command + "\r")
		x.said(strings.Fields(command)[0][1:], all...)
	}
	x.hub.Disconnect(0, 4000, "no: "+promptCanaries["QUERY"])
	x.shows("(closed) >")
	x.keys("/status\r")
	x.shows("waiting to be")
	betrays(t, "the screen of the end", typedOrReceived.ReplaceAllString(x.screen(), ""), all...)
	x.keys("/quit\r")
	x.ended(0)
	for _, name := range []string{"recording", "smoke"} {
		if text, err := os.ReadFile(filepath.Join(x.home, name)); err != nil || !strings.Contains(string(text), "***") {
			t.Errorf("%s has nothing withheld: %s, %v", name, text, err)
		}
	}
	x.files(all...)
}

// The rest of a JSON value is not stored in the history if its beginning looks like a
// credential that hark does not know.
func TestCanaryTypedOverLines(t *testing.T) {
	t.Parallel()
	x := startTTY(t, plainPrompt)
	x.ready()
	x.keys("{\"password\":\r\"unknownCanary\",\r\"a\":1}\rlater\r")
	x.sent("{\"password\":\n\"unknownCanary\",\n\"a\":1}")
	x.sent("later")
	x.keys("/quit\r")
	x.ended(0)
	x.files("unknownCanary")
	files, _ := filepath.Glob(filepath.Join(x.home, ".local/state/hark/history/*"))
	if len(files) != 1 {
		t.Fatalf("history files: %v", files)
	}
	if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), "later") {
		t.Errorf("history %q, %v", text, err)
	}
}

// A session id is a credential from the moment at which the service issues it.
func TestCanaryPromptSession(t *testing.T) {
	t.Parallel()
	e, err := services().Emulators().New(emulator.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var session string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, id, ok := strings.Cut(r.URL.Path, "/session/"); ok && r.Header.Get("Upgrade") != "" {
			mu.Lock()
			session = strings.TrimSuffix(id, "/ws")
			mu.Unlock()
		}
		e.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer e.Close()
	environ, err := e.Environ(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("cd $HOME\n")
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		script.WriteString("export " + name + "='" + value + "'\n")
	}
	script.WriteString("exec $HARK octave subscribe /demo/stream -i -v --include --until empty --jq empty --record whole")
	x := startTTY(t, script.String())
	x.shows("ready, listening")
	x.keys("/record recording\r")
	x.said("record")
	mu.Lock()
	id := session
	mu.Unlock()
	if len(id) < 8 {
		t.Fatalf("the session id is %q", id)
	}
	x.keys("/" + id + "\r/record off\r/status\r/save smoke\r/history\r/quit\r")
	x.ended(0)
	x.files(id)
	betrays(t, "the screen", typedOrReceived.ReplaceAllString(x.screen(), ""), id)
}
