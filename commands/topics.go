package commands

import (
	"fmt"
	"strings"

	"github.com/hark-cli/hark/internal/emulator"
)

// topics are what "hark help TOPIC" explains.
func topics() []topic {
	return []topic{
		{Name: "exit-codes", Summary: "what the exit code says", Text: `0  ended as asked, or the server closed normally and nothing was awaited
1  internal error, or output could not be written
2  usage: flag, argument, jq expression
3  could not connect: dns, tcp, proxy, tls, or an HTTP answer that is no upgrade
4  an expectation failed, or the command of --on-ready
5  credentials refused
6  the service refused the request: unknown stream, no right to it, protocol error
7  a time limit passed with something still awaited
8  connection lost, and retrying is off or used up
9  events were lost: --on-gap fail, --overflow fail
128+n  signal n

A closed stdout, as in "hark … | head -1", ends hark quietly with 0.
`},
		{Name: "environment", Summary: "environment variables", Text: `Whatever a flag sets, an environment variable sets too: HARK_ and the name of the flag in capitals, with underscores for dashes; for a flag of one service, the service comes between. --help shows the name beside each flag.

  HARK_COUNT=5              --count 5
  HARK_OCTAVE_TOKEN=…       --token of hark octave
  HARK_DROGUE_TOKEN=…       --token of hark drogue

A flag wins over its variable; an empty variable counts as not set. A flag that can be repeated takes one value per line.
`},
		{Name: "secrets", Summary: "how to pass credentials", Text: `A flag for a credential takes:

  env:NAME      the value of an environment variable
  file:PATH     the content of a file
  cmd:COMMAND   what a shell command prints, within 30 s
  anything else the credential itself, which other users of the machine may see

Files and commands are asked each time that a credential is needed, so a token can be renewed. No message shows a credential.
`},
		{Name: "faults", Summary: "how the stand-ins misbehave on request", Text: faultsText()},
		{Name: "config", Summary: "the configuration file", Text: `Settings may stand in a file: $XDG_CONFIG_HOME/hark/config.toml, or where HARK_CONFIG says. A key is the long name of a flag; keys at the top hold for all commands, those in the table of a service for that service.

  retries = 20

  [octave]
  company = "acme"
  token = "env:OCTAVE_TOKEN"

  [profile.staging.octave]
  endpoint = "https://octave.example.com"

  [macros]
  hello = '{"hello":"\${name}"}'

--profile staging, or HARK_PROFILE=staging, adds what stands under profile.staging. The first that speaks wins: flag, variable, profile, file, default; 'hark config explain drogue tail' shows which one it was. A flag that can be repeated takes a list. Write references such as env:NAME in place of credentials. An unknown key or a value of the wrong type is an error with file and line.

'hark config init octave' asks for what a service needs and writes it.
`},
		{Name: "output", Summary: "what is printed", Text: `stdout gets one line per event, and each line is one JSON value. With --format message, the default, it is what the service sent, byte for byte, except that line breaks between tokens become spaces. A text message that is not JSON becomes a JSON string; a binary message that is not JSON becomes {"data_base64":"…"}.

--jq shapes what is printed, and -r prints strings without quotes. --until looks at each event before that; -n counts events of which something was printed.

stderr gets everything else. When it is no terminal, that is only warnings and errors, and with -v what happens to the connection.
`},
		{Name: "status", Summary: "the life of the connection, as records", Text: `--status json writes to stderr, and --status-file to a file, one JSON object per line for each turn in the life of the connection. With --status json nothing else stands on stderr: warnings are records too, and the error is in the last one. Only wrong usage, found before anything is dialled, is told in words.

Every record has:

  time      when, in UTC
  status    what happened, see below
  service   octave, drogue, doshii or connect
  attempt   the number of the handshake in this run, from 1

Where they are known: address, without credentials; error, what went wrong in words; http_status, the status of an HTTP answer that was no upgrade; close_code and close_reason, of the server's close frame. What else there is depends on the status:

  connecting      an attempt begins
  connected       the socket is open
  authenticated   the credentials were taken
  ready           an event that happens from now on will come
  heartbeat       the server answered a heartbeat or ping; rtt_seconds
  disconnected    the connection was lost
  retrying        after delay_seconds; number retry of retries in the window
  gap             events between from and to may be missing, unless filled is true; reason says what interrupted the stream
  dropped         stdout was too slow; dropped_now since the last such record
  warning, note   text; notes only with -v
  counters        the process got the signal USR1
  ended           the last record

dropped, counters and ended have the counters of the run: events that came, printed ones, bytes written to stdout, reconnects, gaps that were not filled, and events dropped. ended also has exit_code; condition, what ended the stream, which is count, until, idle, max-time, ready-only, tape-end, stdout-closed, signal or closed (by the server), or the name of another flag, and missing after a failure; and hint, what to do about the error.

A stream is ready when Octave has acknowledged all subscriptions; with the first ping or event of Drogue Cloud, whose broker takes some seconds to assign the stream; with the first pong of Doshii; and as soon as any other socket is open. --ready-delay adds to that. --on-ready, --ready-file and --ready-only act then.
`},
		{Name: "tapes", Summary: "recording streams, and what to do with it", Text: `--record FILE writes every frame of both directions and every handshake to FILE, which only its owner can read. Credentials that hark knows are left out. Payloads are not secrets to hark: look at a tape before you give it away.

  hark drogue tail --emulator demo-app -n 5 --record x.tape
  hark play x.tape --jq .subject
  hark replay x.tape --speed max

hark play runs a tape through --jq, --format and the conditions, without a network. hark replay serves it to any WebSocket client.

A tape is one JSON object per line: a head, and then records in the order of the frames.

  {"format":"hark-tape","version":1,"time":"…","service":"drogue"}
  {"time":"…","dir":"out","op":"handshake","request":{"url":"…","header":{…}},"response":{"status":101,"header":{…}}}
  {"time":"…","dir":"in","op":"text","text":"…"}
  {"time":"…","dir":"in","op":"binary","base64":"…"}
  {"time":"…","dir":"in","op":"close","code":1000,"reason":"…"}

op is handshake, text, binary, ping, pong or close, dir is in (from the server) or out. A payload that is UTF-8 stands as text, any other as base64; withheld takes its place when it carried a credential. A handshake begins a connection. A tape that is cut off is read up to there.
`},
	}
}

// faultsText is the table of faults of the emulator.
func faultsText() string {
	var b strings.Builder
	b.WriteString("'hark emulate SERVICE --fault FAULT' makes a stand-in misbehave, on every connection. A client that " +
		"sends the header " + emulator.FaultHeader + " asks for faults on its own connection alone, so a test needs no side channel: " +
		"-H '" + emulator.FaultHeader + ": after=3 close=1001' with hark connect. Several faults are separated by spaces.\n\n")
	for _, f := range emulator.Faults() {
		fmt.Fprintf(&b, "  %-24s  %s\n", f, f.Meaning)
	}
	return b.String()
}
