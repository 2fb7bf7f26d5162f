//go:build unix

package commands

import (
	"net/http/httptest"
	"strings"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/freeport"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptHark is the program for scripts.
func scriptHark(args []string) int { return Main(args, program.System()) }

// setupEmulators starts the emulators in the test process, fifty events a second,
// and points the environment of the script at them.
func setupEmulators(env *testscript.Env) error {
	opts := emulator.DefaultOptions()
	opts.Rate = 50
	e, err := services().Emulators().New(opts)
	if err != nil {
		return err
	}
	server := httptest.NewServer(e)
	env.Defer(func() {
		e.Close()
		server.Close()
	})
	environ, err := e.Environ(server.URL)
	env.Vars = append(env.Vars, environ...)
	env.Setenv("EMULATOR", server.Listener.Addr().String())
	for _, name := range []string{"FREE_PORT", "FREE_PORT2", "FREE_PORT3"} {
		address, err := freeport.Find()
		if err != nil {
			return err
		}
		env.Setenv(name, strings.TrimPrefix(address, "127.0.0.1:"))
	}
	env.Setenv("DEMO_ACCESS_TOKEN", drogue.AccessToken)
	return err
}
