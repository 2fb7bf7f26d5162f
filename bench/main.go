// Bench measures hark alongside other clients on one machine in one run, and says
// which of its bars hold. See CONTRIBUTING.md, "Speed".
//
//	bench [-hark FILE] [-deps FOLDER] [-rounds N] [-o FILE] [-run WORDS]
//	bench serve SIZE N     the load server alone: N events of SIZE bytes for each client
//	bench floor URL        the bare frame reader, one of the clients
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "floor":
			return runFloor(args[1:])
		case "serve":
			return runServe(args[1:])
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	harkPath := flags.String("hark", "./hark", "the program to measure, `FILE`")
	deps := flags.String("deps", ".deps", "the `FOLDER` where the peers are")
	rounds := flags.Int("rounds", 3, "take the median of `N` runs")
	out := flags.String("o", "", "write the report to `FILE` too")
	only := flags.String("run", "", "measure only what has one of these `WORDS`, separated by commas, in its name")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	b, err := newBench(*harkPath, *deps, *rounds, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	defer b.close()
	b.measure()
	text := b.report()
	if *out != "" {
		if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
	}
	_, _ = io.WriteString(os.Stdout, text)
	return 0
}

// A bench is one run of everything.
type bench struct {
	server  *server
	clients []client
	jaq     string // "" when it is not there
	rounds  int
	only    string
	folder  string // for the certificate
	trusted string // the certificate that clients are to trust
	loads   map[string]*load

	rows  []row
	notes []string
}

func newBench(harkPath, deps string, rounds int, only string) (*bench, error) {
	b := &bench{clients: clients(harkPath, deps), jaq: jaq(deps), rounds: max(rounds, 1), only: only, loads: map[string]*load{}}
	if b.clients[0].path == "" {
		return nil, fmt.Errorf("%s is not there: run make build", harkPath)
	}
	var err error
	if b.folder, err = os.MkdirTemp("", "hark-bench-"); err != nil {
		return nil, err
	}
	b.trusted = filepath.Join(b.folder, "cert.pem")
	cert, err := certificate(b.trusted)
	if err == nil {
		b.server, err = listen(cert)
	}
	if err != nil {
		os.RemoveAll(b.folder)
		return nil, err
	}
	return b, nil
}

// environ is what a case adds to the environment. Without TLS it is nothing: some
// clients load the certificates of the system even then, and take their time.
func (b *bench) environ(c testCase) []string {
	if !c.secure {
		return nil
	}
	return []string{"SSL_CERT_FILE=" + b.trusted, "NODE_EXTRA_CA_CERTS=" + b.trusted}
}

func (b *bench) close() {
	b.server.close()
	os.RemoveAll(b.folder)
}

// load returns the prepared stream of messages of that size.
func (b *bench) load(size int, deflated bool) *load {
	key := fmt.Sprint(size, deflated)
	if b.loads[key] == nil {
		b.loads[key] = newLoad(size, deflated)
	}
	return b.loads[key]
}

// client returns the client of that name, which may not be there.
func (b *bench) client(name string) client {
	for _, p := range b.clients {
		if p.name == name {
			return p
		}
	}
	return client{name: name}
}
