package doctor

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// A service may have several hosts, of its API and of its socket: each is shown, and
// the failure stands with the one that failed.
func TestFindingsOfSeveralHosts(t *testing.T) {
	e := &examination{Program: &program.Program{Say: console.NewPrinter(io.Discard)}, found: make(map[netdial.Stage]*finding), start: time.Now()}
	for _, address := range []string{"api.example:443", "api.example:443", "socket.example:443"} {
		e.report(netdial.Report{Stage: netdial.StageTCP, Address: address, Took: time.Millisecond})
	}
	refused := &proto.HandshakeError{Stage: netdial.StageTCP, Address: "wss://socket.example", Err: io.EOF}
	e.report(netdial.Report{Stage: netdial.StageTCP, Address: "socket.example:443", Took: time.Millisecond, Err: refused})
	all, failed := e.findings(&proto.Failure{Class: proto.Transient, Err: refused})
	if failed != netdial.StageTCP {
		t.Errorf("failed: %s", failed)
	}
	var rows []string
	for _, f := range all {
		if f.Stage == netdial.StageTCP {
			rows = append(rows, f.State+" "+f.Detail)
		}
	}
	want := "ok api.example:443\nfailed tcp wss://socket.example: EOF"
	if got := strings.Join(rows, "\n"); got != want {
		t.Errorf("rows:\n%s\nwant:\n%s", got, want)
	}
	if d := e.networkTime(); d != 2*time.Millisecond {
		t.Errorf("the network took %s", d)
	}
}
