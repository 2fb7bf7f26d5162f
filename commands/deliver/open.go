package deliver

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/commands/network"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/output/destination/exec"
	"github.com/hark-cli/hark/output/destination/file"
	"github.com/hark-cli/hark/output/destination/webhook"
)

// A Host is the stream whose events are delivered.
type Host struct {
	*program.Program
	// Raw: records are text, not JSON. CloudEvents: they are CloudEvents.
	Raw, CloudEvents bool
	// Watched: someone wants to know how the stream is doing.
	Watched bool
	// Guard returns a transport that warns when credentials leave this machine without
	// encryption.
	Guard func(http.RoundTripper) http.RoundTripper
}

// A kind is one form of --to.
type kind struct {
	schemes []string
	form    string   // for messages
	help    string   // the same, for help
	flags   []string // those that have a meaning only for some kinds
	// parse takes apart what stands behind the colon; nil if open does.
	parse func(scheme, rest string) (place, error)
	// open makes the destination. name is what messages call it, without anything secret.
	open func(f *Flags, h *Host) (d destination.Destination, name string, err error)
}

// kinds are all destinations, in the order of help: the only list of them.
func kinds() []*kind {
	return []*kind{
		{schemes: []string{"file", "file-daily"}, form: "file:", help: "file:PATH, file-daily:PATH with {date} in it", flags: []string{"sync"}, open: openFile},
		{schemes: []string{"http", "https"}, form: "http:// or https://", help: "http:// or https:// (POST)", flags: append([]string{"to-header", "to-user", "to-secret"}, tlsFlags...), parse: parseWeb, open: openWebhook},
		{schemes: []string{"nats", "nats+tls"}, form: "nats:", help: "nats://HOST/SUBJECT", flags: append([]string{"to-creds"}, brokerFlags...), parse: parseNATS, open: openNATS},
		{schemes: []string{"kafka", "kafka+tls"}, form: "kafka:", help: "kafka://HOST/TOPIC", flags: append([]string{"to-key", "to-sasl"}, brokerFlags...), parse: parseKafka, open: openKafka},
		{schemes: []string{"exec"}, form: "exec:", help: "exec:COMMAND", open: openExec},
	}
}

// tlsFlags are those about connections to the destination.
var tlsFlags = []string{"to-cacert", "to-cert", "to-keyfile", "to-insecure", "to-proxy"}

// ownFlags are the flags that have a meaning only for some kinds.
var ownFlags = append([]string{"sync", "to-key", "to-header", "to-user", "to-token", "to-creds", "to-sasl", "to-secret"}, tlsFlags...)

// kindOf returns the kind of a scheme, or nil.
func kindOf(scheme string) *kind {
	for _, k := range kinds() {
		if slices.Contains(k.schemes, scheme) {
			return k
		}
	}
	return nil
}

// Forms lists the forms of --to, for help.
func Forms() string {
	var list []string
	for _, k := range kinds() {
		list = append(list, k.help)
	}
	return strings.Join(list, ", ")
}

// formsWith lists the forms of --to for which a flag has a meaning.
func formsWith(flag string) string {
	var list []string
	for _, k := range kinds() {
		if slices.Contains(k.flags, flag) {
			list = append(list, k.form)
		}
	}
	return strings.Join(list, " or ")
}

// A place is the value of --to, taken apart.
type place struct {
	scheme, rest string   // before and after the colon
	hosts        []string // of a broker
	target       template // topic or subject at a broker
}

// varies reports whether the target is another one for each event.
func (p place) varies() bool { return p.target.varies() }

// Open opens the destination. name is what messages call it.
func (f *Flags) Open(h *Host) (d destination.Destination, name string, err error) {
	return f.kind.open(f, h)
}

func openFile(f *Flags, h *Host) (destination.Destination, string, error) {
	scheme, path := f.place.scheme, f.place.rest
	o := file.Options{
		Path: path, Daily: scheme == "file-daily", Sync: f.sync,
		Torn: func(path string, bytes int64) {
			h.Warn("%s: the last line was not complete, and was cut off (%s)", path, program.Plural(int(bytes), "byte"))
		},
	}
	d, err := file.New(o)
	if err != nil {
		return nil, "", cmdline.FlagErrorf("--to", " %s:%s: %v", scheme, cmdline.Cut(path, 60), err)
	}
	return d, scheme + ":" + path, nil
}

// webhookTimeout limits one request to a web server.
const webhookTimeout = 30 * time.Second

func parseWeb(scheme, rest string) (place, error) {
	if u, err := url.Parse(scheme + ":" + rest); err != nil || u.Host == "" {
		return place{}, fmt.Errorf("the address is not valid: expected %s://HOST[:PORT][/PATH]", scheme)
	}
	return place{scheme: scheme, rest: rest}, nil
}

func openWebhook(f *Flags, h *Host) (destination.Destination, string, error) {
	n := &netdial.Network{TLS: f.tls, Proxy: f.proxy}
	address := f.place.scheme + ":" + f.place.rest
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", err // parseWeb has parsed it
	}
	header := f.header
	if h.Raw && header.Get("Content-Type") == "" {
		header = header.Clone()
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	return &webhook.Destination{
		URL: address,
		Client: &http.Client{
			Transport:     network.UserAgent{Base: h.Guard(netdial.NewTransport(n))},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Header: header, Key: f.signing, Timeout: webhookTimeout,
		CloudEvents: h.CloudEvents, OwnID: f.id != "",
		Attempted: h.attempted("POST"),
	}, f.place.scheme + "://" + u.Host, nil // paths of webhooks are credentials as often as not
}

func openExec(f *Flags, h *Host) (destination.Destination, string, error) {
	return &exec.Destination{
		Command: f.place.rest, Environ: h.Environ(), Output: h.Stderr, Rescue: h.Rescues.Add, Attempted: h.attempted("exec"),
	}, "exec", nil
}

// attempted returns what prints a line for each attempt to deliver an event, for a person
// who develops the other end; nil if stderr is not a terminal.
func (h *Host) attempted(by string) func(destination.Attempt) {
	if !h.Watched || !h.StderrTerminal {
		return nil
	}
	return func(a destination.Attempt) {
		h.Say.Note("%s", attemptText(by, a, time.Now()))
	}
}

// attemptText is the line for an attempt that has ended.
func attemptText(by string, a destination.Attempt, now time.Time) string {
	what := cmp.Or(a.Record.Type, a.Record.ID, "event")
	took := a.Took.Round(time.Millisecond)
	if took == 0 {
		took = a.Took.Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%s %s %s: %s in %s", now.Format(time.TimeOnly), by, cmdline.Cut(what, 60), a.Result, took)
}
