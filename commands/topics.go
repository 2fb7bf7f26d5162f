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
4  an expectation failed
5  credentials refused
6  the service refused the request: unknown stream, no right to it, protocol error
7  a time limit passed with something still awaited
8  connection lost, and retrying is off or used up
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
