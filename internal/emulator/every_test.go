package emulator_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"testing"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/doshii"
	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/internal/emulator/octave"
	"github.com/hark-cli/hark/proto/octave/wire"
)

// every are the options of an emulator of all services.
type every struct {
	emulator.Options
	Octave octave.Options
	Drogue drogue.Options
	Doshii doshii.Options
}

// everyOptions are the default options of all services.
func everyOptions() every {
	return every{emulator.DefaultOptions(), octave.DefaultOptions(), drogue.DefaultOptions(), doshii.DefaultOptions()}
}

// quiet are the default options without generated events.
func quiet() every {
	opts := everyOptions()
	opts.Rate = 0
	return opts
}

// services are the services with these options.
func (o every) services() emulator.Services {
	return emulator.Services{octave.Service(o.Octave), drogue.Service(o.Drogue), doshii.Service(o.Doshii)}
}

// newevery starts an emulator of the named services, of all without a name.
func newEvery(opts every, names ...string) (*emulator.Emulator, error) {
	return opts.services().New(opts.Options, names...)
}

// inBubble is Run with all services.
func inBubble(t *testing.T, opts every, f func(b *emulatortest.Bench)) {
	t.Helper()
	emulatortest.Run(t, opts.Options, opts.services(), f)
}

// session requests a session of Octave, and returns the address of its socket.
func session(b *emulatortest.Bench) string {
	b.T.Helper()
	_, body := b.Do("POST", "/octave/session", "", masterHeaders()...)
	return "/octave" + wire.SocketPath(emulatortest.Unmarshal[struct{ Body wire.Session }](b.T, body).Body.ID)
}

func masterHeaders() []string {
	return []string{"X-Auth-User: " + octave.User, "X-Auth-Company: " + octave.Company, "X-Auth-Token: " + octave.Token}
}

func subscribeTo(path string) string {
	return fmt.Sprintf(`{"msgId":"m","object":"event","type":"subscribe","path":%q}`, path)
}

// octaveOK acknowledges subscribeTo.
const octaveOK = `{"head":{"msgId":"m","ok":true,"errors":[],"messages":["Your request has been processed successfully."]},"body":{}}`

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// appPath is the address of Doshii's socket of an app.
func appPath(path string) string {
	return "/doshii" + path + "?auth=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(doshii.ClientID)))
}
