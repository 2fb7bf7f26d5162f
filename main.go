// Hark listens to event streams that services offer over WebSocket and prints
// them as NDJSON. See "hark help".
package main

import (
	"os"

	"github.com/hark-cli/hark/commands"
)

func main() { os.Exit(commands.Main(os.Args[1:], commands.System())) }
