// Package listen contains the flags that commands with a server share.
package listen

import (
	"context"
	"net"
	"net/http"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/wsserver"
)

// Flags decide whose requests a server serves.
type Flags struct{ origins, hosts []string }

// Flags declares them.
func (f *Flags) Flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "allow-origin", Value: cmdline.Strings(&f.origins),
			Usage: "also serve pages of `ORIGIN`; * for all", Detail: "; such as https://app.example.com. Programs and pages of this machine are always served"},
		{Name: "allow-host", Value: cmdline.Strings(&f.hosts),
			Usage: "also accept requests for `HOST`; * for all", Detail: "; a host name, when listening on a loopback address"},
	}
}

// Check returns an error for an invalid value.
func (f *Flags) Check(ctx context.Context, line *cmdline.Line) error {
	for _, o := range f.origins {
		if !wsserver.ValidOrigin(o) {
			return cmdline.Usagef("invalid value %q for --allow-origin: expected SCHEME://HOST[:PORT], null or *", cmdline.Cut(o, 60))
		}
	}
	for _, h := range f.hosts {
		if !wsserver.ValidHost(h) {
			return cmdline.Usagef("invalid value %q for --allow-host: expected a host name without a port, or *", cmdline.Cut(h, 60))
		}
	}
	return nil
}

// Guard returns h with a check of origin and host, for a server that listens on l, and
// warns about refused requests.
func (f *Flags) Guard(p *program.Program, l net.Listener, address string, h http.Handler) http.Handler {
	g := wsserver.NewGuard(l.Addr(), address, f.origins, f.hosts)
	g.Refused = func(err *wsserver.RefusedError) {
		if err.Err == wsserver.ErrHost {
			p.Warn("refused a client that calls this server %s: --allow-host allows it", cmdline.Cut(err.Value, 60))
			return
		}
		p.Warn("refused a page of %s: --allow-origin allows it", cmdline.Cut(err.Value, 60))
	}
	return g.Wrap(h)
}
