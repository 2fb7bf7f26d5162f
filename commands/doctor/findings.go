package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output"
	"github.com/hark-cli/hark/proto"
)

// An examination contains the findings of doctor.
type examination struct {
	*program.Program
	service stream.Service
	wait    time.Duration
	// readyTimeout is the time limit for the stream to be ready.
	readyTimeout time.Duration

	// Used by the goroutine that called Run only.
	connected, ready   bool
	nothingToSubscribe bool
	inProcess          bool
	start, at          time.Time
	address            string
	timer              *time.Timer

	mu    sync.Mutex
	found map[netdial.Stage]*finding
	// ways are the findings of the stages below HTTP, one for each address: a service
	// may have several.
	ways  []*finding
	event time.Time // of the first one
	bytes int
}

// States of a stage.
const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateFailed  = "failed"
	stateSkipped = "skipped"
	stateNever   = "not reached"
)

// A finding is the result of one stage.
type finding struct {
	Stage netdial.Stage `json:"stage"`
	State string        `json:"state"`
	// MS is how long it took, in milliseconds; absent if unknown.
	MS     *float64      `json:"ms,omitempty"`
	Detail string        `json:"detail,omitempty"`
	TLS    string        `json:"tls_version,omitempty"`
	Chain  []certificate `json:"chain,omitempty"`

	address string // that it is about
}

// A certificate is one of the server's chain.
type certificate struct {
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
	Days    int       `json:"days"`
}

func (e *examination) begin(s *stream.Stream) {
	e.start, e.found = time.Now(), make(map[netdial.Stage]*finding)
	e.inProcess = s.Emulated != nil
	s.Flags.Network.Report = e.report
}

// report records a report of the network. It may be called on any goroutine.
func (e *examination) report(r netdial.Report) {
	f := &finding{Stage: r.Stage, State: stateOK, MS: milliseconds(r.Took)}
	switch {
	case r.Stage == netdial.StageDNS:
		f.Detail = r.Address + ": " + strings.Join(r.Addresses, ", ")
	case r.Stage == netdial.StageTCP && r.Peer != nil:
		f.Detail = r.Peer.String()
	case r.Stage == netdial.StageTCP:
		f.Detail = r.Address
	case r.Stage == netdial.StageProxy:
		f.Detail = r.Address
	case r.TLS != nil:
		f.chain(r.TLS)
	}
	if r.Err != nil {
		f.State = stateFailed
	}
	f.address = r.Address
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.ways, func(w *finding) bool { return w.Stage == f.Stage && w.address == f.address })
	switch {
	case i < 0:
		e.ways = append(e.ways, f)
	case e.ways[i].State == stateOK && r.Err != nil:
		e.ways[i] = f
	}
}

// way returns the findings of a stage below HTTP. e.mu must be held.
func (e *examination) way(stage netdial.Stage) (list []*finding) {
	for _, f := range e.ways {
		if f.Stage == stage {
			list = append(list, f)
		}
	}
	return list
}

// expiresSoon is the remaining validity below which a certificate gets a warning, in
// days.
const expiresSoon = 14

// chain describes TLS and its certificates.
func (f *finding) chain(s *tls.ConnectionState) {
	if s.Version != 0 {
		f.TLS = tls.VersionName(s.Version)
		f.Detail = f.TLS
	}
	for _, c := range s.PeerCertificates {
		days := int(math.Floor(time.Until(c.NotAfter).Hours() / 24))
		f.Chain = append(f.Chain, certificate{
			Subject: nameOf(c, c.Subject.CommonName), Issuer: c.Issuer.CommonName, Expires: c.NotAfter.UTC(), Days: days,
		})
	}
	if len(f.Chain) == 0 {
		return
	}
	leaf := f.Chain[0]
	text := "certificate of " + leaf.Subject + " by " + leaf.Issuer
	switch {
	case leaf.Days < 0:
		text += fmt.Sprintf(", expired %d days ago", -leaf.Days)
	default:
		text += fmt.Sprintf(", expires in %d days", leaf.Days)
		if leaf.Days < expiresSoon {
			f.State = stateWarning
		}
	}
	if f.Detail != "" {
		text = f.Detail + ", " + text
	}
	f.Detail = text
}

func nameOf(c *x509.Certificate, common string) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return common
}

func milliseconds(d time.Duration) *float64 {
	return new(math.Round(float64(d)/float64(time.Microsecond)) / 1000)
}

func (e *examination) done(stage netdial.Stage, took time.Duration, detail string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found[stage] = &finding{Stage: stage, State: stateOK, MS: milliseconds(took), Detail: detail}
}

// networkTime returns how long the stages below HTTP have taken.
func (e *examination) networkTime() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	var sum float64
	for _, f := range e.ways {
		sum += *f.MS
	}
	return time.Duration(sum * float64(time.Millisecond))
}

// failedStage returns the stage of err.
func (e *examination) failedStage(err error) netdial.Stage {
	class := proto.Unknown
	if f, ok := errors.AsType[*proto.Failure](err); ok {
		class = f.Class
	}
	h, ok := errors.AsType[*proto.HandshakeError](err)
	switch {
	case e.service.Requests && !e.connected && (!ok || h.Stage == proto.StageRequest || strings.HasPrefix(h.Address, "http")):
		return proto.StageRequest
	case ok && (h.Stage == netdial.StageDNS || h.Stage == netdial.StageTCP || h.Stage == netdial.StageProxy || h.Stage == netdial.StageTLS):
		return h.Stage
	case ok && (h.Stage == proto.StageSession || h.Stage == proto.StageToken):
		return stageAuth
	case class == proto.Credentials, class == proto.Refused && ok && h.Status != 0: // no permission
		return stageAuth
	case ok:
		return netdial.StageUpgrade
	case !e.ready:
		return stageSubscribe
	}
	return stageEvent
}

// findings returns the stages in order, for a run that ended with err.
func (e *examination) findings(err error) (all []*finding, failed netdial.Stage) {
	took := max(0, time.Since(e.start)-e.networkTime())
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		failed = e.failedStage(err)
	}
	if !e.event.IsZero() {
		e.found[stageEvent] = &finding{
			Stage: stageEvent, State: stateOK, MS: milliseconds(max(0, e.event.Sub(e.at))), Detail: fmt.Sprintf("%d bytes", e.bytes),
		}
	}
	if e.connected && e.found[stageAuth] == nil && failed != stageAuth {
		e.found[stageAuth] = &finding{Stage: stageAuth, State: stateOK, Detail: "nothing was refused"}
	}
	beyond := false
	for _, stage := range e.stages() {
		list := e.way(stage)
		if f := e.found[stage]; f != nil || len(list) == 0 {
			list = append(list, f)
		}
		for i, f := range list {
			last := i == len(list)-1
			switch {
			case stage == failed && last:
				beyond = true
				if f == nil {
					f = &finding{Stage: stage}
				}
				if stage == stageAuth && e.found[netdial.StageUpgrade] == nil { // a request of its own
					f.MS = milliseconds(took)
				}
				f.State, f.Detail = stateFailed, console.Line(e.Say.String(err.Error()))
			case f != nil && beyond && f.State == stateOK && stage != stageAuth:
			case f == nil && (beyond || stage == netdial.StageUpgrade):
				f = &finding{Stage: stage, State: stateNever}
			case f == nil:
				f = &finding{Stage: stage, State: stateSkipped, Detail: e.whyNot(stage)}
			case f.State == stateFailed: // for one of several addresses
				f.State = stateWarning
			}
			all = append(all, f)
		}
	}
	return all, failed
}

// whyNot returns why a stage was skipped.
func (e *examination) whyNot(stage netdial.Stage) string {
	switch stage {
	case netdial.StageDNS:
		if e.inProcess {
			return "the emulator is in this process"
		}
		return "no name to look up"
	case netdial.StageTCP:
		return "no connection to open"
	case netdial.StageProxy:
		return "none"
	case netdial.StageTLS:
		return "not asked for"
	case stageSubscribe:
		return "no stream was given"
	case stageEvent:
		return "skipped; --wait 30s waits for it"
	}
	return ""
}

// print prints the findings to stdout, and returns the error for the exit code.
func (e *examination) print(err error, asJSON bool) error {
	all, failed := e.findings(err)
	end := ending.Of(err)
	address := e.address
	if h, ok := errors.AsType[*proto.HandshakeError](err); ok && address == "" {
		address = h.Address
	}
	var text []byte
	if asJSON {
		report := struct {
			Target  string        `json:"target"`
			Address string        `json:"address,omitempty"`
			OK      bool          `json:"ok"`
			Exit    int           `json:"exit_code"`
			Failed  netdial.Stage `json:"failed,omitempty"`
			Error   string        `json:"error,omitempty"`
			Hint    string        `json:"hint,omitempty"`
			Stages  []*finding    `json:"stages"`
		}{e.service.Name, address, err == nil, end.Code, failed, "", end.Hint, all}
		if err != nil {
			report.Error = err.Error()
		}
		b, jerr := json.Marshal(report)
		if jerr != nil {
			return jerr
		}
		text = append(b, '\n')
	} else {
		text = []byte(findingsText(all, address, end.Hint))
	}
	if _, werr := e.Stdout.Write(e.Say.Bytes(text)); werr != nil {
		return &output.WriteError{Err: werr}
	}
	if err != nil {
		return &ending.CommandExit{Code: end.Code}
	}
	return nil
}

// findingsText returns the findings as a table.
func findingsText(all []*finding, address, advice string) string {
	var b strings.Builder
	if address != "" {
		fmt.Fprintln(&b, address)
	}
	for _, f := range all {
		took := ""
		if f.MS != nil {
			took = fmt.Sprintf("%.1f ms", *f.MS)
		}
		state := map[string]string{stateOK: "ok", stateWarning: "warn", stateFailed: "FAIL"}[f.State]
		if state == "" {
			state = "-"
		}
		detail := f.Detail
		if f.State == stateNever {
			detail = stateNever
		}
		line := fmt.Sprintf("%-4s  %-11s  %10s  %s", state, f.Stage, took, detail)
		b.WriteString(strings.TrimRight(console.Line(line), " ") + "\n")
	}
	if advice != "" {
		fmt.Fprintln(&b, "hint: "+advice)
	}
	return b.String()
}
