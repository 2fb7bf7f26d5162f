package connect

import (
	"errors"
	"strings"

	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// wscatOptions are flags of wscat (github.com/websockets/wscat) that hark accepts only
// for compatibility.
type wscatOptions struct {
	host     string
	noColor  bool
	protocol string
	listen   string
}

// wscatNames are wscat's names of flags of hark.
func wscatNames() map[string][]string {
	return map[string][]string{
		"origin":     {"o"},
		"user":       {"auth"},
		"insecure":   {"no-check"},
		"cacert":     {"ca"},
		"pass":       {"passphrase"},
		"max-redirs": {"max-redirects"},
		"hold":       {"wait"},
	}
}

// wscatFlags adds the flags of wscat to those of connect. Hidden ones are documented in
// the topic wscat.
func wscatFlags(o *options, flags []*cmdline.Flag) []*cmdline.Flag {
	for name, aliases := range wscatNames() {
		f := cmdline.Find(flags, name)
		f.Aliases = append(f.Aliases, aliases...)
	}
	cmdline.Find(flags, "count").Advice = "-n is --count; wscat's -n is --no-check here"
	return append(flags,
		&cmdline.Flag{Name: "host", Group: program.CatLink, Value: cmdline.String(&o.host),
			Usage: "send `HOST` as the Host header"},
		&cmdline.Flag{Name: "no-color", Group: program.CatOutput, Value: cmdline.Bool(&o.noColor),
			Usage: "no color: --color never"},
		&cmdline.Flag{Name: "protocol", Aliases: []string{"p"}, Hidden: true, Value: cmdline.String(&o.protocol),
			Usage: "insist on the `VERSION` of the WebSocket protocol, which must be 13"},
		&cmdline.Flag{Name: "listen", Aliases: []string{"l"}, Hidden: true, Value: cmdline.String(&o.listen),
			Usage: "say which command listens on `PORT`"},
	)
}

// checkWscat applies the flags of wscat, and returns an error for those with another
// meaning in hark.
func (o *options) checkWscat(line *cmdline.Line, f *stream.Flags) error {
	if as := line.GivenAs("listen"); as != "" {
		e := cmdline.FlagErrorf(as, ": hark connect does not listen")
		e.Suggestion = "hark serve PORT"
		if port := cmdline.Mention(o.listen); port != "" {
			e.Suggestion = "hark serve " + o.listen
		}
		return e
	}
	if as := line.GivenAs("protocol"); as != "" && o.protocol != "13" {
		return cmdline.FlagErrorf(as, " %q: the version of the WebSocket protocol is 13 (RFC 6455); hark supports no other", cmdline.Cut(o.protocol, 8))
	}
	if line.GivenAs("proxy") == "-x" && strings.ContainsAny(f.Proxy, "{}\"' /") && !strings.Contains(f.Proxy, "://") {
		e := cmdline.Usagef("-x is the proxy, as for curl, and its value is not an address")
		e.Advice = "wscat's -x is --execute"
		return e
	}
	if as := line.GivenAs("host"); as != "" {
		if o.host == "" || !network.HeaderValue(o.host) || strings.ContainsAny(o.host, " /") {
			return cmdline.ValueErrorf(as, cmdline.Cut(o.host, 60), "expected HOST or HOST:PORT")
		}
	}
	if o.noColor {
		if as := line.GivenAs("color"); strings.HasPrefix(as, "-") && f.Color != "never" {
			return cmdline.FlagErrorf(line.GivenAs("no-color"), " cannot be used with %s %s", as, cmdline.Cut(f.Color, 8))
		}
		f.Color = "never"
	}
	return nil
}

// wscatHint returns the hint for a failed proxy that may be a message for wscat's -x.
func wscatHint(line *cmdline.Line, err error) string {
	f, ok := errors.AsType[*proto.HandshakeError](err)
	if ok && f.Stage == netdial.StageProxy && line.GivenAs("proxy") == "-x" && !strings.Contains(line.Value("proxy"), ":") {
		return "-x is the proxy, as for curl; wscat's -x is --execute"
	}
	return ""
}

// wscatTopic is what "hark help wscat" explains.
const wscatTopic = `hark connect accepts the command line of wscat, except for two letters, which mean the same as in curl and all of hark:

  -x MESSAGE        sets the proxy: use --execute MESSAGE
  -n                sets the number of events: use --no-check or -k

All other flags, with hark's own name if it differs:

  -c, --connect URL           same as the argument URL; the default of the
                              scheme is ws://
  -H, --header NAME:VALUE
  -s, --subprotocol NAME
  -o, --origin URL
      --host HOST             the Host header
      --auth USER:PASSWORD    --user, -u
  -L, --location              and --max-redirects N, --max-redirs
  -k, --no-check              --insecure
      --ca FILE               --cacert; also --cert, --key
      --passphrase SECRET     --pass
      --proxy URL             -x
      --execute LINE          wscat's -x: as typed at the prompt
  -w, --wait SECONDS          --hold: exit that long after the last line; -1 for never.
                              Without it hark applies --linger, and exits when
                              nothing has arrived for a second
      --slash                 always on; --slash=false sends lines that begin
                              with a slash as text
  -P, --show-ping-pong
      --no-color              --color never
  -p, --protocol 13           accepted; there is no other version
  -l, --listen PORT           use the command hark serve PORT

/ping, /pong and /close have the same arguments as in wscat. A line of --execute that begins with a slash is a command too, unless --slash=false.

  hark emulate drogue -- sh -c 'hark connect -c $HARK_DROGUE_ENDPOINT/public-app --execute /ping -P -w 1'

Without a terminal hark connect prints what it receives and does not read stdin: with -i it sends each line of stdin once connected, and after the last line waits for replies. Each line on stdout is one JSON value: a text that is not JSON becomes a JSON string, a binary message {"data_base64":"…"}. --jq . -r prints texts as they are.
`
