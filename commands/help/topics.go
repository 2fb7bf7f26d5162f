// Package help contains the help topics, the commands help, man and completion, and the
// grouping of flags in help texts.
package help

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/emulator"
)

// Topics returns the topics of "hark help TOPIC".
func Topics(all stream.Services) []cmdline.Topic {
	var ofServices []cmdline.Topic
	for _, s := range all {
		ofServices = append(ofServices, s.Topics...)
	}
	return slices.Concat([]cmdline.Topic{
		{Name: "exit-codes", Summary: "what each exit code means", Text: `The exit code says why hark exited:

  0      ended as requested, or the server closed normally and nothing more was expected
  1      internal error, or output could not be written
  2      usage: flag, argument, jq expression
  3      could not connect: dns, tcp, proxy, tls, or an HTTP response that is not an upgrade
  4      an assertion failed, or the command of --on-ready
  5      credentials refused
  6      the service refused the request: unknown stream, no permission, protocol error
  7      a time limit passed before everything expected was seen
  8      connection lost, and retries are off or exhausted
  9      events were lost: --on-gap fail, --overflow fail
  10     events could not be delivered to the destination of --to
  128+n  signal n

4 stands for --fail-if, and for an --expect that matched nothing when --max-time, -n, --until or a normal close by the server ended the stream. When --idle ended it, or --max-time passed before the stream was ready, the code is 7. When the connection was lost for good it is 8; unmet assertions are listed on stderr.

A closed stdout, as in "hark … | head -1", makes hark exit 0 silently.

  hark drogue tail --emulator demo-app -n 2
  hark drogue tail --emulator demo-app --expect '.data == "never"' -m 3s  # exits 4
  hark drogue tail --emulator no-such-app                                 # exits 6
  hark drogue tail --emulator demo-app -n 1000 -m 3s                      # exits 7
`},
		{Name: "environment", Summary: "environment variables", Text: `Every flag can also be set by an environment variable: HARK_ and the name of the flag in capitals, with underscores for dashes; flags of a service have its name in between. --help-all shows the name next to each flag.

  HARK_COUNT=5              --count 5
  HARK_OCTAVE_TOKEN=…       --token of hark octave
  HARK_DROGUE_TOKEN=…       --token of hark drogue

A flag takes precedence over its variable; an empty variable is the same as none. For a flag that may be repeated, the variable contains one value per line.

  HARK_COUNT=2 HARK_JQ=.data hark drogue tail --emulator demo-app

Other variables: HARK_CONFIG, XDG_CONFIG_HOME, XDG_STATE_HOME and XDG_CACHE_HOME ('hark help files'); http_proxy, https_proxy, all_proxy, no_proxy and SSLKEYLOGFILE ('hark help network'); NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM ('hark help output'); HARK_PAGER, or PAGER, the pager for help that does not fit the terminal; VISUAL, or EDITOR, for 'hark config edit' and /edit; BROWSER for 'hark drogue login'.
`},
		{Name: "secrets", Summary: "how to pass credentials", Text: `The value of a flag for a credential is one of:

  env:NAME      the value of an environment variable
  file:PATH     the content of a file
  cmd:COMMAND   what a shell command prints, within 30 s
  keyring:SERVICE/NAME
                an entry of the system's keyring
  anything else the credential itself, which other users of the machine may see

Files, commands and the keyring are read each time a credential is needed, so tokens can be renewed. White space around a credential is removed. A command runs in sh -c (cmd /c on Windows) with hark's environment and without stdin; its stderr is shown only if it fails.

No message, status record, report or recording shows a credential, in any encoding. hark warns about a credential on the command line, or in a file that other users can read; --no-warn-secrets disables the warnings.

  hark emulate drogue -- hark drogue tail demo-app -n 1 --token env:HARK_DROGUE_TOKEN
  hark emulate drogue -- hark drogue tail demo-app -n 1 --token 'cmd:echo $HARK_DROGUE_TOKEN'

For --user and --proxy-user, either the password, as in alice:env:PASSWORD, or the whole value may be a reference. -H @FILE reads headers from a file.

'hark drogue login' stores a login in the keyring or, without one, in logins.json in $XDG_STATE_HOME/hark or the configuration folder, which only its owner can read. --token-store file does not use the keyring.
`},
		{Name: "network", Summary: "addresses, proxies, TLS", Text: `The flags have the names and meanings of curl's.

The proxy is that of --proxy, or of the environment: http_proxy for ws:// and http://, https_proxy for wss:// and https://, otherwise all_proxy; names in capitals work too. no_proxy, or --noproxy, lists hosts to connect to directly: names (with all names below them), addresses, networks such as 10.0.0.0/8, each also with a port, or * for all. Proxies of the environment are not used for localhost. hark always requests a tunnel (CONNECT), for ws:// too. With socks5 hark resolves names, with socks5h the proxy does.

--connect-to connects to another host and port, --resolve to other addresses, --unix-socket to a Unix domain socket; TLS and the Host header still use the host of the URL.

--cacert replaces the certificate authorities of the system. --pinnedpubkey applies with -k too; the error for a wrong key contains the value for the right one. SSLKEYLOGFILE has an effect with --tls-keylog only.

-L follows redirects. Headers, including that of --user, are not sent to another origin. Services with credentials, and handshakes with --subprotocol, are not redirected to another origin at all, because some servers accept credentials as a subprotocol. A redirect from wss:// to ws:// requires --allow-insecure-redirect.

'hark doctor' shows at which stage a connection fails, and why.

  hark emulate drogue --allow-host stream.test -- sh -c 'a=${HARK_DROGUE_ENDPOINT#ws://}; hark connect ws://stream.test/drogue/public-app -n 1 --connect-to "::${a%/*}"'
`},
		{Name: "faults", Summary: "faults of the emulators", Text: faultsText(all.Emulators())},
		{Name: "config", Summary: "the configuration file", Text: `Settings can be kept in a file: $XDG_CONFIG_HOME/hark/config.toml, or the file that HARK_CONFIG names. A key is the long name of a flag; keys at the top apply to all commands, keys in the table of a service to that service.

  retries = 20

  [octave]
  company = "acme"
  token = "env:OCTAVE_TOKEN"

  [profile.staging.octave]
  endpoint = "https://octave.example.com"

  [macros]
  hello = '{"hello":"${name}"}'

--profile staging, or HARK_PROFILE=staging, adds the settings under profile.staging. Precedence: flag, environment variable, profile, file, default; 'hark config explain drogue tail' shows where each setting comes from. A flag that can be repeated takes a list. Write references such as env:NAME instead of credentials. An unknown key or a value of the wrong type is an error with file and line.

'hark config init octave' asks for the settings of a service, tries them with 'hark doctor', and writes them. It does not ask for settings given by --set; without a terminal it reads the answers from stdin, one per line.

  hark config init drogue --set user=alice --set access-token=env:DROGUE_ACCESS_TOKEN --no-check
  hark config explain drogue tail
  hark config check
`},
		{Name: "conditions", Summary: "assertions and exit conditions", Text: `Assertions (--expect, --fail-if) and exit conditions can be combined; the first that is met ends the stream, with the exit code on the right:

  -n 5              5 events have been printed, after --jq        0
  --until EXPR      an event matches, and is printed             0
  --expect EXPR     each --expect has matched some event         0
  --fail-if EXPR    an event matches, and is printed             4
  --idle D          no event arrived for D                         0, or 7
  -m D, --max-time  D has passed                                 0, 7 or 4

D is a duration such as 500ms, 30s or 5m; a number without a unit is in seconds, as for curl.

EXPR matches if it yields anything but false and null. Its input is what would be printed without --jq: the CloudEvent with --format cloudevents, each frame with --format frames. All --expect must match; of several --until or --fail-if, any. When one event meets several conditions, the order is --fail-if, --until, --expect, -n.

Unmet conditions are reported on stderr: for each expression the number of events it was evaluated for, and the nearest value if it compares one path, as in .data.temp > 21 or .type == "a" and .data.temp > 21. See 'hark help exit-codes' for the codes and 'hark help reports' for CI systems.

  hark drogue tail --emulator demo-app --until '.data > 0' -m 30s
  hark drogue tail --emulator demo-app --expect '.specversion == "1.0"' --expect .data -m 30s --jq .subject
  hark drogue tail --emulator demo-app -n 5 --fail-if '.specversion == "1.0"'  # exits 4
`},
		{Name: "reports", Summary: "the result of each assertion, for CI", Text: `--report junit=FILE, --report tap=FILE and --report json=FILE write a test report when the stream has ended: one test case for the stream itself (it connected without errors), and one for each condition, with the time until the match and the event that matched, or what did not match and the last 5 events. All cases pass if and only if the exit code is 0. A condition that was preempted by another is skipped.

A file is written completely or not at all, also if the connection failed. Jenkins, GitLab and others read JUnit; TAP is version 13: prove -e cat FILE. Credentials are removed, and long events are truncated.

  hark drogue tail --emulator demo-app --expect .data -m 30s --report junit=report.xml --report tap=/dev/stderr

The members of the JSON:

  name service version started seconds exit_code
  ended_by      count, until, expect, fail-if, halt, idle, max-time, closed,
                stdout-closed, signal, error
  error         the error message on stderr
  events        number of events received
  printed       number of events of which something was printed
  cases         name, condition, expr, status (passed, failed, error,
                skipped), seconds, message, event, near (path, value)
  last_events   event (its number), seconds, text
`},
		{Name: "output", Summary: "what is printed", Text: `stdout gets one line per event, and each line is one JSON value. --format selects which:

  message       the message as received
  cloudevents   the event as CloudEvents 1.0 JSON
  frames        every frame in both directions, pings and heartbeats
                included, as in a recording: time, dir (in, out), op, text or
                base64; credentials are removed

A message is printed byte for byte, except that line breaks between tokens become spaces. A text message that is not JSON becomes a JSON string; a binary message that is not JSON becomes {"data_base64":"…"}.

The attributes of a CloudEvent, by service:

` + attributesTable(all) + `
recordedtime is the time of receipt. Data that is not JSON has the datacontenttype text/plain, or application/octet-stream and data_base64. Messages that are CloudEvents already, such as those of Drogue Cloud, are printed as received.

--jq filters what is printed, and -r prints strings without quotes. Assertions and --until see the event before --jq; -n counts events of which something was printed.

-0 ends each record with a NUL character, for xargs -0. --pretty indents JSON over several lines. --time prefixes each record with the time of receipt; as the output then is not JSON, it requires a terminal or -r.

On a terminal JSON is colored, and control characters and bidirectional formatting characters are shown as \uXXXX. In a pipe neither is done, except color with --color always or CLICOLOR_FORCE. --color never, NO_COLOR, CLICOLOR=0 and TERM=dumb disable color. Precedence: flag, NO_COLOR, CLICOLOR_FORCE.

stderr gets everything else: if it is not a terminal, warnings and errors, and with -v the connection status.

  hark octave subscribe --emulator /demo/stream -n 2 --format cloudevents
  hark doshii listen --emulator -n 2 --format frames
  hark drogue tail --emulator demo-app -n 2 --jq .subject -r --time
`},
		{Name: "jq", Summary: "filtering events, and writing assertions", Text: `--jq EXPR applies a jq filter to each event and prints its results, one per line. --until, --expect and --fail-if are jq expressions too. The language is that of jq 1.8, as implemented by gojq; the jq command is not required.

  hark drogue tail --emulator demo-app -n 3 --jq '{device, t: .data}'
  hark drogue tail --emulator demo-app -n 3 --jq 'select(.data != null) | .subject'
  hark drogue tail --emulator demo-app -n 3 -r --jq '[.time, .subject, .data] | @tsv'
  hark drogue tail --emulator demo-app -n 3 --arg where=hall --argjson limit=20 --jq '{$where, over: (.data > $limit)}'

The expression is evaluated for each event separately: . is the event, and --arg and --argjson set variables. Numbers that are passed through keep their digits, and an unchanged event is printed byte for byte; the keys of objects that an expression creates are sorted. debug and stderr write to stderr, one line per call; in the output of stderr, line feeds become spaces, and text that looks like a line of hark or like a command for a CI system is quoted.

An error inside an expression, such as .data.x where .data is a number, skips that event with a warning; with --jq-error fail, hark exits. The same applies to an event whose values would need more memory than --max-message-size: small numbers and objects need ten times as much as their text, or more. If an expression takes longer than --jq-timeout for one event, hark always exits. An expression that does not compile is reported before hark connects, with a mark under the position.

Differences from jq 1.8:

  keys             the keys of objects are always sorted, in to_entries, .[] and tojson too; there is no keys_unsorted
  regular          those of Go (RE2): no look-around and no back-references; \w, \d, \s and \b match ASCII only; of the
  expressions      flags, g, i, n and l, but not x and s
  numbers          integers are exact, however large; an exponent in an event is not changed
  not supported    $__loc__, input, inputs, input_line_number, input_filename, have_decnum, have_literal_numbers,
                   get_search_list, modules

As in jq 1.8, and not in 1.7, ltrimstr and rtrimstr require strings. fromdate accepts no fraction of a second:

  hark drogue tail --emulator demo-app -n 2 --jq '.time | sub("[.][0-9]+"; "") | fromdate'
`},
		{Name: "pipelines", Summary: "using hark in pipelines", Text: `stdout is flushed as soon as no more events are waiting to be read, in a pipe too: there is no buffering to disable. stdin is read with -i or --send - only, so hark can run in shell loops, under cron and in the background.

  hark drogue tail --emulator demo-app -n 3 --jq .subject -r | sort | uniq -c
  hark drogue tail --emulator demo-app -n 3 | while read -r event; do printf '%s\n' "$event"; done
  hark drogue tail --emulator demo-app -n 3 -0 | xargs -0 -n 1 printf '%s\n'
  hark drogue tail --emulator demo-app -n 3 --jq '[.subject, .data] | @csv' -r >events.csv
  hark drogue tail --emulator demo-app | head -1

When the reader of stdout exits, as head does after its line, hark exits 0 at once and silently, also while no events arrive. The exit code of a pipeline is that of its last command, unless 'set -o pipefail' is set in bash or zsh.

A slow reader of stdout has no effect as long as the waiting events fit into --buffer. --overflow selects what happens then: block stops reading from the server, drop-oldest drops events and reports how many, fail exits 9. hark continues to send heartbeats and pongs.

--on-ready starts a command once the stream is live:

  hark emulate drogue --rate 0 -- hark drogue tail demo-app -n 1 -m 30s --on-ready 'hark drogue publish demo-app/temperature --device dev-1 21'
`},
		{Name: "files", Summary: "where hark keeps things", Text: `  $XDG_CONFIG_HOME/hark/config.toml   settings and macros, see 'hark help config';
                                      HARK_CONFIG sets another path
  $XDG_STATE_HOME/hark/history/       lines typed at the prompt, per endpoint
  $XDG_STATE_HOME/hark/logins.json    logins of Drogue Cloud, on systems without a
                                      keyring
  $XDG_CACHE_HOME/hark/               names for completion, kept for 5 minutes

The defaults of the variables are ~/.config, ~/.local/state and ~/.cache. Only their owner can read these files. All of them are optional, and those in the cache can be removed at any time. The position of a stream is where --cursor FILE says, with FILE.lock beside it; 'hark cursor show FILE' prints it.

  hark config path
`},
		{Name: "status", Summary: "connection status records", Text: `--status json writes to stderr, and --status-file to a file, one JSON object per line for each change of the connection's state. With --status json nothing else is written to stderr: warnings are records too, and the last record has the error. Only usage errors, which are found before hark connects, are reported as text.

Every record has:

  time      in UTC
  status    see below
  service   ` + stream.OneOf(all.Names()) + `
  attempt   number of the connection attempt in this run, from 1

If known, records have address, without credentials; error, a message; http_status, the status of an HTTP response that was not an upgrade; and close_code and close_reason, of the server's close frame. Other members depend on the status:

  connecting      an attempt begins
  connected       the socket is open
  authenticated   the credentials were accepted
  ready           events that happen from now on will be received
  heartbeat       the server answered a heartbeat or ping; rtt_seconds
  disconnected    the connection was lost
  retrying        after delay_seconds; retry is its number, of at most retries in the window
  gap             events between from and to may have been lost, unless filled is true; reason says what interrupted the stream
  out-of-sequence with --sequence; problem is hole, repeat, step-back, late or several
  unconfirmed     messages that hark had sent when the connection ended may not
                  have arrived: at most as many as the member messages
  dropped         events were dropped for a slow reader of stdout; dropped_now since the last such record
  delivering, delivery-failed, delivery-resumed
                  of --to; destination, and the error and delay_seconds of a retry
  warning, note   text; notes only with -v
  counters        the process received the signal USR1
  ended           the last record

With --sequence, gap has missing, the number of missing events, once the next events have shown it; filled is true if that is 0. gap and out-of-sequence have sequence, a value of --sequence-by; number, that of the event; and after, the one before it. The problem several sums up many records: holes, missing, repeats, steps_back and late count them.

dropped, counters and ended have the counters of the run: events received, events printed, bytes written to stdout, reconnects, gaps that were not filled (and holes), and events dropped; with --to, records delivered, in_flight, retried and dead, and in ended those that still waited. ended also has exit_code; condition, which ended the stream: count, until, idle, max-time, ready-only, recording-end, linger, hold, quit, stdout-closed, answered (all calls of hark call), signal or closed (by the server), or the name of another flag; there is none after a failure; and hint, advice on the error.

  hark drogue tail --emulator demo-app -n 2 --status json >/dev/null
  hark doshii listen --emulator -n 2 --status-file status.ndjson

A stream is ready ` + readyText(all) + `. --ready-delay adds to that. --on-ready, --ready-file and --ready-only take effect then.
`},
		{Name: "recordings", Summary: "recording streams, and what to do with the file", Text: `--record FILE writes every frame of both directions and every handshake to FILE, which only its owner can read. Credentials that hark knows are removed. Payloads are recorded as they are: review a recording before you share it.

  hark drogue tail --emulator demo-app -n 5 --record x.tape
  hark play x.tape --jq .subject
  hark replay x.tape --speed max -m 5s

hark play applies --jq, --format and the conditions to a recording, offline. It exits with the exit code of the recorded command, unless a condition of its own ends it or that command was terminated by a signal. hark replay serves it to any WebSocket client.

A recording is one JSON object per line: a header, then records in the order of the frames, and finally how the command ended.

  {"format":"hark-tape","version":1,"time":"…","service":"drogue"}
  {"time":"…","dir":"out","op":"handshake","request":{"url":"…","header":{…}},"response":{"status":101,"header":{…}}}
  {"time":"…","dir":"in","op":"text","size":7,"json":{"a":1}}
  {"time":"…","dir":"in","op":"text","text":"…"}
  {"time":"…","dir":"in","op":"binary","base64":"…"}
  {"time":"…","dir":"in","op":"close","code":1000,"reason":"…"}

op is handshake, text, binary, ping, pong or close, dir is in (from the server) or out. A message that is a JSON object or array on one line is in json, after its size in bytes; any other payload is in text if it is UTF-8, otherwise in base64. --format frames has no json: what is UTF-8 is always in text. withheld replaces a payload that contained a credential. A handshake begins a connection; if its request has overlaps, the connection before it is used until this one is ready. A truncated recording is read up to its end.
`},
	}, ofServices, []cmdline.Topic{
		{Name: "prompt", Summary: "interactive mode (REPL)", Text: `'hark connect URL' on a terminal opens a prompt, and so does -i on every command that streams. Each line that you type is sent as a text message; messages received are printed above it, marked with <.

  /help                lists the commands, with those of the service
  //TEXT               sends /TEXT instead of running a command
  Tab                  completes commands, and names and JSON keys of messages
  Up, Down, Ctrl-R     browse and search the history of this endpoint
  Ctrl-C               discards the line; on an empty line, exits
  Ctrl-D               on an empty line, exits
  Ctrl-Z               suspends hark

  /on EXPR => JQ       answers messages that match EXPR with the outputs of JQ
  /every D => JQ       sends the outputs of JQ at intervals
  /wait EXPR [D]       waits for a message before the next line is run
  /save FILE           writes the dialogue as a smoke test, a shell script

A line that begins a JSON object or array continues until the value is complete; an empty line sends it as it is. Pasted text is one line: its line breaks become spaces. /edit opens $VISUAL or $EDITOR for longer messages.

The history is stored in $XDG_STATE_HOME/hark (~/.local/state/hark), readable by its owner only. Lines that begin with a space, or that seem to contain a credential, are not stored.

When stdin or stdout is not a terminal, -i runs the lines of stdin one after the other, once connected; each line is a command or a message, and JSON over several lines is not joined. stdout gets one JSON value per event, output of commands goes to stderr. After the last line hark exits 0 once nothing has arrived for --linger. It exits 2 for an invalid command, 4 if no message matches /wait, and 8 if a message cannot be sent. Lines of a pipe cannot read or write files (/file, /binary @FILE, /record, /save) without --allow-files, because they may come from someone else. To send lines as they are, including those that begin with a slash, use --send -.

  printf '/ping\n/status\n/quit\n' | hark drogue tail --emulator demo-app -i

On Windows, and where TERM is dumb, the prompt has no line editing: there is no history and no completion, and messages are printed as in a pipe. All commands except /edit work.

Macros are messages in the configuration file, with parameters:

  [macros]
  hello = '{"hello":"${name}"}'        # /hello name=World

See also 'hark help wscat'.
`},
	})
}

// faultsText returns the table of faults of the emulators.
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

// attributesTable returns the table of the sources of CloudEvents attributes.
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

// readyText describes when streams are ready.
func readyText(all stream.Services) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, s.Ready)
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "; ") + "; and " + parts[last]
}
