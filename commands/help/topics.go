// Package help has the help topics, the manual and the completion scripts, and what the
// help of commands makes of their flags.
package help

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
)

// Topics are what "hark help TOPIC" explains.
func Topics(all stream.Services) []cmdline.Topic {
	var ofServices []cmdline.Topic
	for _, s := range all {
		ofServices = append(ofServices, s.Topics...)
	}
	return slices.Concat([]cmdline.Topic{
		{Name: "exit-codes", Summary: "what each exit code means", Text: `The exit code says why hark exited:

  0      ended as requested, or the server closed normally and nothing was awaited
  1      internal error, or output could not be written
  2      usage: flag, argument, jq expression
  3      could not connect: dns, tcp, proxy, tls, or an HTTP response that is not an upgrade
  4      an assertion failed, or the command of --on-ready
  5      credentials refused
  6      the service refused the request: unknown stream, no right to it, protocol error
  7      a time limit passed before everything expected was seen
  8      connection lost, and retries are off or exhausted
  9      events were lost: --on-gap fail, --overflow fail
  128+n  signal n

4 stands for --fail-if, and for an --expect that matched nothing when --max-time, -n, --until or a normal close by the server ended the stream. With --idle it is 7, like everything else that is awaited then; so it is when --max-time passes before the stream is there at all. When the connection is lost for good it is 8, with the expectations that were not met on stderr.

A closed stdout, as in "hark … | head -1", makes hark exit 0 silently.

  hark drogue tail --emulator demo-app -n 2
  hark drogue tail --emulator demo-app --expect '.data == "never"' -m 3s  # exits 4
  hark drogue tail --emulator no-such-app                                 # exits 6
  hark drogue tail --emulator demo-app -n 1000 -m 3s                      # exits 7
`},
		{Name: "environment", Summary: "environment variables", Text: `Every flag can also be set by an environment variable: HARK_ and the name of the flag in capitals, with underscores for dashes; for a flag of one service, the service comes between. --help-all shows the name next to each flag.

  HARK_COUNT=5              --count 5
  HARK_OCTAVE_TOKEN=…       --token of hark octave
  HARK_DROGUE_TOKEN=…       --token of hark drogue

A flag takes precedence over its variable; an empty variable counts as not set. A flag that can be repeated takes one value per line.

  HARK_COUNT=2 HARK_JQ=.data hark drogue tail --emulator demo-app

Other variables: HARK_CONFIG, XDG_CONFIG_HOME, XDG_STATE_HOME and XDG_CACHE_HOME ('hark help files'); http_proxy, https_proxy, all_proxy, no_proxy and SSLKEYLOGFILE ('hark help network'); NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM ('hark help output'); HARK_PAGER, or PAGER, which shows help that does not fit the terminal; VISUAL, or EDITOR, for 'hark config edit' and /edit; BROWSER for 'hark drogue login'.
`},
		{Name: "secrets", Summary: "how to pass credentials", Text: `A flag for a credential takes:

  env:NAME      the value of an environment variable
  file:PATH     the content of a file
  cmd:COMMAND   what a shell command prints, within 30 s
  keyring:SERVICE/NAME
                an entry of the system's keyring
  anything else the credential itself, which other users of the machine may see

Files, commands and the keyring are asked each time that a credential is needed, so a token can be renewed. White space around a credential is left out. A command runs in sh -c (cmd /c on Windows) with hark's environment and without stdin; what it prints on stderr is shown only when it fails.

No message, status record, report or recording shows a credential, in whatever encoding it travels. A credential on the command line earns a warning, which --no-warn-secrets silences, and so does a file that others can read.

  hark emulate drogue -- hark drogue tail demo-app -n 1 --token env:HARK_DROGUE_TOKEN
  hark emulate drogue -- hark drogue tail demo-app -n 1 --token 'cmd:echo $HARK_DROGUE_TOKEN'

For --user and --proxy-user the password alone may be a reference, alice:env:PASSWORD, or the pair. Headers come from a file with -H @FILE.

'hark drogue login' stores a login in the keyring or, where there is none, in logins.json below $XDG_STATE_HOME/hark or the folder for configuration, which only its owner can read. --token-store file keeps the keyring out of it.
`},
		{Name: "network", Summary: "addresses, proxies, TLS", Text: `The flags are named as curl's and mean the same.

A proxy is that of --proxy, or of the environment: http_proxy for ws:// and http://, https_proxy for wss:// and https://, otherwise all_proxy; names in capitals do too. no_proxy, or --noproxy, lists what is reached directly: names, which stand for what is below them, addresses, networks such as 10.0.0.0/8, each also with a port, or *. Proxies of the environment are not used for this machine itself. Every proxy is asked for a tunnel, for ws:// too. With socks5 names are looked up here, with socks5h by the proxy.

--connect-to leads to another host and port, --resolve to other addresses, --unix-socket to a socket of this machine; TLS and the Host header still name the host of the address.

--cacert takes the place of the system's authorities. --pinnedpubkey applies with -k too; what to write there is in the message when it does not match. --tls-keylog writes to the file that SSLKEYLOGFILE names, and nothing else does.

-L follows redirects. Headers, --user included, do not go to another origin. Services with credentials do not go there at all, nor do handshakes with --subprotocol, because servers for browsers take credentials there. A redirect from wss:// to ws:// needs --allow-insecure-redirect.

'hark doctor' says at which stage a connection fails, and why.

  hark emulate drogue --allow-host stream.test -- sh -c 'a=${HARK_DROGUE_ENDPOINT#ws://}; hark connect ws://stream.test/drogue/public-app -n 1 --connect-to "::${a%/*}"'
`},
		{Name: "faults", Summary: "how the emulators misbehave on request", Text: faultsText(all.Emulators())},
		{Name: "config", Summary: "the configuration file", Text: `Settings can be kept in a file: $XDG_CONFIG_HOME/hark/config.toml, or the file that HARK_CONFIG names. A key is the long name of a flag; keys at the top apply to all commands, those in the table of a service for that service.

  retries = 20

  [octave]
  company = "acme"
  token = "env:OCTAVE_TOKEN"

  [profile.staging.octave]
  endpoint = "https://octave.example.com"

  [macros]
  hello = '{"hello":"${name}"}'

--profile staging, or HARK_PROFILE=staging, adds the settings under profile.staging. Precedence: flag, environment variable, profile, file, default; 'hark config explain drogue tail' shows where each setting comes from. A flag that can be repeated takes a list. Write references such as env:NAME instead of credentials. An unknown key or a value of the wrong type is an error with file and line.

'hark config init octave' asks for what a service needs, tries it with 'hark doctor', and writes it. What --set gives is not asked for; without a terminal the answers are lines of stdin.

  hark config init drogue --set user=alice --set access-token=env:DROGUE_ACCESS_TOKEN --no-check
  hark config explain drogue tail
  hark config check
`},
		{Name: "conditions", Summary: "assertions and exit conditions", Text: `Assertions (--expect, --fail-if) and exit conditions combine; the first to become true ends the stream, with the exit code on the right:

  -n 5              5 events have been printed, after --jq        0
  --until EXPR      an event matches; it is printed              0
  --expect EXPR     each --expect has matched some event         0
  --fail-if EXPR    an event matches; it is printed              4
  --idle D          no event came for D                          0, or 7
  -m D, --max-time  D has passed                                 0, 7 or 4

D is a duration such as 500ms, 30s or 5m; as for curl, a bare number is one of seconds.

EXPR matches if it yields anything but false and null. It sees what would be printed without --jq: with --format cloudevents the CloudEvent, with --format frames each frame. --until and --fail-if can be given several times too, then any of them counts. When one event makes several true, the order is --fail-if, --until, --expect, -n.

Unmet conditions are reported on stderr: for each expression the number of events it was tried on, and the nearest value if it compares one path, as in .data.temp > 21 or .type == "a" and .data.temp > 21. See 'hark help exit-codes' for the codes and 'hark help reports' for CI systems.

  hark drogue tail --emulator demo-app --until '.data > 0' -m 30s
  hark drogue tail --emulator demo-app --expect '.specversion == "1.0"' --expect .data -m 30s --jq .subject
  hark drogue tail --emulator demo-app -n 5 --fail-if '.specversion == "1.0"'  # exits 4
`},
		{Name: "reports", Summary: "the result of each assertion, for CI", Text: `--report junit=FILE, --report tap=FILE and --report json=FILE write, when the stream has ended, one test case for the stream itself (connected, and nothing went wrong) and one for each condition: the time to the match and the event that matched, or what was not seen and the last 5 events. No case has failed if and only if the exit code is 0. A condition that another one preempted is skipped.

A file is written whole or not at all, even if there was no connection. JUnit is what Jenkins, GitLab and others read; TAP has version 13: prove -e cat FILE. Credentials are withheld, and of a long event only the start is kept.

  hark drogue tail --emulator demo-app --expect .data -m 30s --report junit=report.xml --report tap=/dev/stderr

The members of the JSON:

  name service version started seconds exit_code
  ended_by      count, until, expect, fail-if, halt, idle, max-time, closed,
                stdout-closed, signal, error
  error         what was said on stderr
  events        that came
  printed       of which something was printed
  cases         name, condition, expr, status (passed, failed, error,
                skipped), seconds, message, event, near (path, value)
  last_events   event (its number), seconds, text
`},
		{Name: "output", Summary: "what is printed", Text: `stdout gets one line per event, and each line is one JSON value. By --format that is:

  message       what the service sent
  cloudevents   the event as CloudEvents 1.0 JSON
  frames        every frame in both directions, pings and heartbeats
                included, as in a recording: time, dir (in, out), op, text or
                base64; a credential that was sent is withheld

A message is printed byte for byte, except that line breaks between tokens become spaces. A text message that is not JSON becomes a JSON string; a binary message that is not JSON becomes {"data_base64":"…"}.

The attributes of a CloudEvent, by service:

` + attributesTable(all) + `
recordedtime is the time of receipt. Data that is not JSON has the datacontenttype text/plain, or application/octet-stream and data_base64. A message that is a CloudEvent already, as those of Drogue Cloud are, is printed as it came.

--jq shapes what is printed, and -r prints strings without quotes. Conditions look at each event before that; -n counts events of which something was printed.

-0 ends each record with a NUL character, for xargs -0. --pretty spreads JSON over several lines. --time puts the time of receipt in front of each record, which then is not JSON: on a terminal, or with -r.

On a terminal JSON is colored, and control characters and those that turn the direction of writing are shown as \uXXXX. In a pipe neither is done, unless --color always or CLICOLOR_FORCE asks for color. --color never, NO_COLOR, CLICOLOR=0 and TERM=dumb switch it off; a flag weighs most, then NO_COLOR, then CLICOLOR_FORCE.

stderr gets everything else. When it is not a terminal, that is only warnings and errors, and with -v what happens to the connection.

  hark octave subscribe --emulator /demo/stream -n 2 --format cloudevents
  hark doshii listen --emulator -n 2 --format frames
  hark drogue tail --emulator demo-app -n 2 --jq .subject -r --time
`},
		{Name: "jq", Summary: "filtering events, and writing assertions", Text: `--jq EXPR prints what the jq expression makes of each event: nothing, a line, or several. --until, --expect and --fail-if take expressions too. The language is that of jq 1.8, in its implementation gojq; the command jq is not needed.

  hark drogue tail --emulator demo-app -n 3 --jq '{device, t: .data}'
  hark drogue tail --emulator demo-app -n 3 --jq 'select(.data != null) | .subject'
  hark drogue tail --emulator demo-app -n 3 -r --jq '[.time, .subject, .data] | @tsv'
  hark drogue tail --emulator demo-app -n 3 --arg where=hall --argjson limit=20 --jq '{$where, over: (.data > $limit)}'

Each event is a run of its own: . is the event, and variables are those of --arg and --argjson. A number that is only passed on keeps its digits, and an event that is not changed is printed byte for byte; the keys of objects that an expression makes come out sorted. debug and stderr write to stderr, one line per call: in what stderr prints, a line feed becomes a space, and text that looks like a line of hark or like a command to a CI system is quoted.

An error inside an expression, such as .data.x where .data is a number, skips that event with a warning; with --jq-error fail it ends hark. The same applies to an event whose values would take more memory than --max-message-size allows for a message: small numbers and objects take ten times as much as their text, or more. An expression that takes longer than --jq-timeout for one event ends hark in any case. An expression that cannot be compiled is refused before anything is dialed, with a mark under the place.

What differs from jq 1.8:

  keys             the members of objects come sorted, in to_entries, .[] and tojson, too; keys_unsorted does not exist
  regular          those of Go (RE2): no look-around and no back-references; \w, \d, \s and \b are about ASCII; of the
  expressions      flags, g, i, n and l, but not x and s
  numbers          integers are exact, however large; an exponent in an event stays as it came
  not there        $__loc__, input, inputs, input_line_number, input_filename, have_decnum, have_literal_numbers,
                   get_search_list, modules

As in jq 1.8, and not in 1.7, ltrimstr and rtrimstr require strings. fromdate accepts no fraction of a second:

  hark drogue tail --emulator demo-app -n 2 --jq '.time | sub("[.][0-9]+"; "") | fromdate'
`},
		{Name: "pipelines", Summary: "using hark in pipelines", Text: `Events are flushed to stdout as soon as no more are waiting to be read, in a pipe too: there is no buffering to switch off. stdin is not read unless -i or --send - asks for it, so hark runs in loops, under cron and in the background.

  hark drogue tail --emulator demo-app -n 3 --jq .subject -r | sort | uniq -c
  hark drogue tail --emulator demo-app -n 3 | while read -r event; do printf '%s\n' "$event"; done
  hark drogue tail --emulator demo-app -n 3 -0 | xargs -0 -n 1 printf '%s\n'
  hark drogue tail --emulator demo-app -n 3 --jq '[.subject, .data] | @csv' -r >events.csv
  hark drogue tail --emulator demo-app | head -1

When the reader exits, as head does after its line, hark exits 0 at once and silently, also while no event comes. The exit code of a pipeline is that of its last command; 'set -o pipefail' in bash and zsh makes that of hark count.

A slow reader costs nothing as long as the waiting events fit into --buffer. --overflow says what happens when they do not: block stops reading from the server, drop-oldest loses events and reports how many, fail exits 9. Heartbeats and pongs go on meanwhile.

--on-ready starts a command once the stream is live:

  hark emulate drogue --rate 0 -- hark drogue tail demo-app -n 1 -m 30s --on-ready 'hark drogue publish demo-app/temperature --device dev-1 21'
`},
		{Name: "files", Summary: "where hark keeps things", Text: `  $XDG_CONFIG_HOME/hark/config.toml   settings and macros, see 'hark help config';
                                      another place with HARK_CONFIG
  $XDG_STATE_HOME/hark/history/       what was typed at the prompt, by endpoint
  $XDG_STATE_HOME/hark/logins.json    logins of Drogue Cloud, where there is no
                                      keyring
  $XDG_CACHE_HOME/hark/               names for completion, for some minutes

Without the variables that is ~/.config, ~/.local/state and ~/.cache. Only their owner can read these files. None is needed, and those in the cache can be removed at any time.

  hark config path
`},
		{Name: "status", Summary: "connection status records", Text: `--status json writes to stderr, and --status-file to a file, one JSON object per line for each change of the connection's state. With --status json nothing else is written to stderr: warnings are records too, and the error is in the last one. Only wrong usage, found before anything is dialed, is reported as text.

Every record has:

  time      when, in UTC
  status    what happened, see below
  service   ` + stream.OneOf(all.Names()) + `
  attempt   the number of the handshake in this run, from 1

Where they are known: address, without credentials; error, what went wrong in words; http_status, the status of an HTTP response that was not an upgrade; close_code and close_reason, of the server's close frame. What else there is depends on the status:

  connecting      an attempt begins
  connected       the socket is open
  authenticated   the credentials were taken
  ready           an event that happens from now on will come
  heartbeat       the server answered a heartbeat or ping; rtt_seconds
  disconnected    the connection was lost
  retrying        after delay_seconds; number retry of retries in the window
  gap             events between from and to may have been lost, unless filled is true; reason says what interrupted the stream
  unconfirmed     messages that hark had sent when the connection ended may not
                  have arrived: at most so many as the member messages says
  dropped         stdout was too slow; dropped_now since the last such record
  warning, note   text; notes only with -v
  counters        the process got the signal USR1
  ended           the last record

dropped, counters and ended have the counters of the run: events that came, printed ones, bytes written to stdout, reconnects, gaps that were not filled, and events dropped. ended also has exit_code; condition, what ended the stream, which is count, until, idle, max-time, ready-only, recording-end, linger, hold, quit, stdout-closed, signal or closed (by the server), or the name of another flag, and missing after a failure; and hint, what to do about the error.

  hark drogue tail --emulator demo-app -n 2 --status json >/dev/null
  hark doshii listen --emulator -n 2 --status-file status.ndjson

A stream is ready ` + readyText(all) + `. --ready-delay adds to that. --on-ready, --ready-file and --ready-only act then.
`},
		{Name: "recordings", Summary: "recording streams, and what to do with the file", Text: `--record FILE writes every frame of both directions and every handshake to FILE, which only its owner can read. Credentials that hark knows are left out. Payloads are not secrets to hark: look at a recording before you give it away.

  hark drogue tail --emulator demo-app -n 5 --record x.tape
  hark play x.tape --jq .subject
  hark replay x.tape --speed max -m 5s

hark play runs a recording through --jq, --format and the conditions, without a network. It exits with the exit code of the recorded command, unless a condition of its own decides or that command was ended by a signal. hark replay serves it to any WebSocket client.

A recording is one JSON object per line: a header, then records in the order of the frames, and finally how the command ended.

  {"format":"hark-tape","version":1,"time":"…","service":"drogue"}
  {"time":"…","dir":"out","op":"handshake","request":{"url":"…","header":{…}},"response":{"status":101,"header":{…}}}
  {"time":"…","dir":"in","op":"text","text":"…"}
  {"time":"…","dir":"in","op":"binary","base64":"…"}
  {"time":"…","dir":"in","op":"close","code":1000,"reason":"…"}

op is handshake, text, binary, ping, pong or close, dir is in (from the server) or out. A payload that is UTF-8 stands as text, any other as base64; withheld takes its place when it carried a credential. A handshake begins a connection. A recording that is cut off is read up to there.
`},
	}, ofServices, []cmdline.Topic{
		{Name: "prompt", Summary: "interactive mode (REPL)", Text: `'hark connect URL' on a terminal opens a prompt, and so does -i on every command that streams. What you type is sent as a text message; what arrives appears above the line that you are typing, marked with <.

  /help                lists the commands, with those of the service
  //TEXT               sends /TEXT, which would be a command otherwise
  Tab                  completes commands, and names and JSON keys that were seen
  Up, Down, Ctrl-R     go through the history of this endpoint, and search in it
  Ctrl-C               discards the line; on an empty line, exits
  Ctrl-D               on an empty line, exits
  Ctrl-Z               suspends hark

A line that begins a JSON object or array goes on until the value is complete; an empty line sends what there is. A paste is one line, its line ends become spaces; /edit opens $VISUAL or $EDITOR for more.

The history is kept in $XDG_STATE_HOME/hark (~/.local/state/hark), for its owner only. Lines that begin with a space, or that seem to have a credential in them, are left out.

When stdin or stdout is not a terminal, -i runs the lines of stdin one after the other, from when the connection is there; each is a command or a message of its own, JSON over several lines is not put together. stdout gets one JSON value per event, answers of commands go to stderr. After the last line hark exits 0 once nothing has arrived for --linger. An invalid command makes it exit 2, a message that cannot be sent 8. Lines of a pipe do not name files (/file, /binary @FILE, /record, /save) unless --allow-files says that they may: they may come from someone else. To send lines as they are, whatever they begin with, use --send -.

  printf '/ping\n/status\n/quit\n' | hark drogue tail --emulator demo-app -i

On Windows, and where TERM is dumb, there is no such prompt: lines are edited as the terminal does it, without history and Tab, and what comes is printed as it is in a pipe. All commands but /edit work there.

Macros are texts of the configuration file, with places to fill in:

  [macros]
  hello = '{"hello":"${name}"}'        # /hello name=World

See also 'hark help wscat'.
`},
	})
}

// faultsText is the table of faults of the emulator.
func faultsText(all emulator.Services) string {
	var b strings.Builder
	b.WriteString("'hark emulate SERVICE --fault FAULT' makes an emulator misbehave, on every connection. A client that " +
		"sends the header " + emulator.FaultHeader + " asks for faults on its own connection alone, so a test needs no side channel: " +
		"-H '" + emulator.FaultHeader + ": after=3 close=1001' with hark connect. Several faults are separated by spaces.\n\n" +
		"  hark emulate drogue --fault 'after=2 close=1011' -- hark drogue tail demo-app -n 3\n\n")
	for _, f := range all.Faults() {
		fmt.Fprintf(&b, "  %-24s  %s\n", f, f.Meaning)
	}
	return b.String()
}

// attributesTable is the table of where the attributes of CloudEvents come from.
func attributesTable(all stream.Services) string {
	type column struct {
		cells [][]string // lines, by row
		width int
	}
	columns := []column{{cells: [][]string{{""}, {"id"}, {"source"}, {"type"}, {"subject"}, {"time"}, {"data"}}, width: len("subject") + 2}}
	for _, s := range all {
		if s.Attributes == nil {
			continue
		}
		a, c := s.Attributes, column{}
		for _, text := range []string{s.Name, a.ID, a.Source, a.Kind, a.Subject, a.Time, a.Data} {
			lines := strings.Split(text, "\n")
			for _, line := range lines {
				c.width = max(c.width, len(line)+3)
			}
			c.cells = append(c.cells, lines)
		}
		columns = append(columns, c)
	}
	var b strings.Builder
	for row := range columns[0].cells {
		height := 0
		for _, c := range columns {
			height = max(height, len(c.cells[row]))
		}
		for n := range height {
			var line strings.Builder
			line.WriteString("  ")
			for _, c := range columns {
				cell := ""
				if n < len(c.cells[row]) {
					cell = c.cells[row][n]
				}
				fmt.Fprintf(&line, "%-*s", c.width, cell)
			}
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
	return b.String()
}

// readyText says when streams are ready.
func readyText(all stream.Services) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, s.Ready)
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "; ") + "; and " + parts[last]
}
