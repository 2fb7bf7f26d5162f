package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/output/destination/kafka"
	"github.com/hark-cli/hark/output/destination/nats"
)

// brokerFlags are those of connections to brokers, whatever kind they are.
var brokerFlags = append([]string{"to-user", "to-token"}, tlsFlags...)

// parseBroker takes apart HOST[:PORT][,HOST…]/TARGET behind the colon of an address.
func parseBroker(scheme, rest, port, target string) (place, error) {
	form := fmt.Sprintf("%s://HOST[:PORT]/%s", scheme, target)
	rest, ok := strings.CutPrefix(rest, "//")
	hosts, name, both := strings.Cut(rest, "/")
	if !ok || !both || hosts == "" || name == "" {
		return place{}, fmt.Errorf("the address is not complete: expected %s", form)
	}
	p := place{scheme: scheme}
	var err error
	if p.target, err = parseTemplate(name); err != nil {
		return place{}, err
	}
	const advice = "they belong in --to-user, which takes references, too"
	if strings.Contains(hosts, "@") {
		return place{}, errors.New("the address contains credentials: " + advice)
	}
	// A password may have a slash in it.
	if slices.ContainsFunc(p.target, func(t part) bool { return strings.Contains(t.text, "@") }) {
		return place{}, errors.New("the address contains an @, as if there were credentials in it: " + advice)
	}
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("//" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return place{}, fmt.Errorf("the address of a server is not valid: expected %s", form)
		}
		if u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), port)
		}
		p.hosts = append(p.hosts, host)
	}
	p.rest = "//" + strings.Join(p.hosts, ",") + "/" + name
	return p, nil
}

func parseNATS(scheme, rest string) (place, error) {
	p, err := parseBroker(scheme, rest, "4222", "SUBJECT")
	if err == nil && !p.varies() {
		err = nats.CheckSubject(p.target.fixed())
	}
	return p, err
}

func parseKafka(scheme, rest string) (place, error) {
	return parseBroker(scheme, rest, "9092", "TOPIC")
}

// broker is what opens connections to a broker, and whether they are encrypted.
func (f *Flags) broker(h *Host) (dial func(ctx context.Context, network, address string) (net.Conn, error), secure bool) {
	n := &netdial.Network{}
	if f.through != "" { // the variables of the environment are about HTTP
		n.Proxy = f.proxy
	}
	secure = strings.HasSuffix(f.place.scheme, "+tls") || f.cacert != "" || f.cert != "" || f.insecure
	if !secure && (f.user != "" || f.token != nil || f.creds != nil) {
		for _, address := range f.place.hosts {
			if host, _, err := net.SplitHostPort(address); err == nil && !netdial.Loopback(host) {
				h.Warn("credentials go to %s without encryption, where others on the way can read them: use %s+tls://", cmdline.Cut(address, 60), f.place.scheme)
				break
			}
		}
	}
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		return n.Connect(ctx, address)
	}, secure
}

// name is the address for messages. It has no credentials.
func (p place) name() string { return p.scheme + ":" + p.rest }

func openNATS(f *Flags, h *Host) (destination.Destination, string, error) {
	dial, secure := f.broker(h)
	o := nats.Options{
		Servers: f.place.hosts, Subject: f.place.target.fixed(), TLS: f.tls, Secure: secure,
		User: f.login.user, Password: f.login.password, Credentials: f.creds,
		Dial: dial, CloudEvents: h.CloudEvents, Text: h.Raw, Unordered: f.InFlight > 1,
		Attempted: h.attempted("publish"),
	}
	if f.token != nil {
		token, err := f.token(context.Background())
		if err != nil {
			return nil, "", err
		}
		o.Token = token
	}
	d, err := nats.New(o)
	if err != nil {
		return nil, "", cmdline.FlagErrorf("--to-creds", ": %v", err)
	}
	return d, f.place.name(), nil
}

func openKafka(f *Flags, h *Host) (destination.Destination, string, error) {
	dial, secure := f.broker(h)
	o := kafka.Options{Brokers: f.place.hosts, Topic: f.place.target.fixed(), Dial: dial, CloudEvents: h.CloudEvents, OwnID: f.id != ""}
	if secure {
		o.TLS = f.tls
	}
	if f.sasl != "" {
		o.SASL = &kafka.SASL{Mechanism: f.sasl, Token: f.token}
		if f.user != "" {
			o.SASL.User = func(context.Context) (string, string, error) { return f.login.user, f.login.password, nil }
		}
	}
	d, err := kafka.New(o)
	if err != nil {
		return nil, "", cmdline.FlagErrorf("--to", ": %v", err)
	}
	return d, f.place.name(), nil
}

// checkLogin finds ways to log in that exclude each other, or lack something.
func (f *Flags) checkLogin(line *cmdline.Line) error {
	given := func(name string) string { return line.GivenAs(name) }
	var ways []string
	for _, name := range []string{"to-user", "to-token", "to-creds"} {
		if as := given(name); as != "" {
			ways = append(ways, as)
		}
	}
	if len(ways) > 1 {
		return cmdline.FlagErrorf(ways[1], " cannot be used with %s", ways[0])
	}
	if f.kind.schemes[0] != "kafka" {
		return nil
	}
	f.sasl = strings.ToLower(f.sasl)
	switch as := given("to-sasl"); {
	case f.sasl == "" && given("to-user") != "":
		return cmdline.FlagErrorf(given("to-user"), " requires --to-sasl plain, scram-sha-256 or scram-sha-512")
	case f.sasl == "" && given("to-token") != "":
		f.sasl = "oauthbearer"
	case f.sasl == "":
	case !slices.Contains(kafka.Mechanisms, f.sasl):
		return cmdline.ValueErrorf(as, cmdline.Cut(f.sasl, 24), "expected %s", strings.Join(kafka.Mechanisms, ", "))
	case f.sasl == "oauthbearer" && given("to-token") == "":
		return cmdline.FlagErrorf(as, " oauthbearer requires --to-token")
	case f.sasl != "oauthbearer" && given("to-user") == "":
		return cmdline.FlagErrorf(as, " %s requires --to-user", f.sasl)
	}
	return nil
}
