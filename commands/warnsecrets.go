package commands

import (
	"net/url"
	"strings"

	"github.com/hark-cli/hark/internal/credential"
)

// observe looks at a command line before it is carried out: whether warnings are
// wanted, and whether a credential stands on it for everybody to see.
func (p *program) observe(line *commandLine) {
	p.quiet = line.isSet("quiet")
	p.maxTime = line.maxTime()
	if line.value("status") == "json" {
		p.say.hold() // stderr will be for records only
	}
	p.warnVariables(line)
	if line.isSet("no-warn-secrets") {
		return
	}
	for _, s := range line.settings {
		if !strings.HasPrefix(s.as, "-") || !s.showsSecret() {
			continue
		}
		instead := "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME, or set " + s.opt.variable
		switch s.opt.name() {
		case "header":
			instead = "-H @FILE, or set " + s.opt.variable
		case "subprotocol":
			instead = "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"
		case "proxy":
			instead = "--proxy-user, or set " + s.opt.variable
		}
		p.warnSecret(s.as, instead)
		return
	}
	var offered []string // of which one may say that the next is a credential
	for _, s := range line.settings {
		if s.opt.name() == "subprotocol" && !isReference(s.value) {
			offered = append(offered, s.value)
		}
	}
	if len(credential.Subprotocols(offered)) > 0 {
		p.warnSecret("--subprotocol", "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME")
		return
	}
	for _, arg := range line.args {
		if strings.Contains(arg, "://") && len(sensitiveAddress(arg)) > 0 {
			p.warnSecret("the address", "-u or -H, or keep the line out of sight of others")
			return
		}
	}
}

func (p *program) warnSecret(where, instead string) {
	p.warn("the credential in %s is on the command line, where other users of the machine may see it: use %s "+
		"(--no-warn-secrets silences this)", where, instead)
}

// warn prints a warning, unless warnings are not wanted.
func (p *program) warn(format string, args ...any) {
	if !p.quiet {
		p.say.warning(format, args...)
	}
}

// isSet tells whether a boolean flag is set, by its long name.
func (l *commandLine) isSet(name string) bool {
	for _, s := range l.settings {
		if s.opt.name() == name {
			return s.value != "false" && s.value != "0"
		}
	}
	return false
}

// showsSecret tells whether the value of a flag is a credential itself, not a
// reference to one.
func (s setting) showsSecret() bool {
	switch name := s.opt.name(); {
	case name == "header":
		name, value, _ := strings.Cut(s.value, ":")
		return credential.Header(strings.TrimSpace(name)) && strings.TrimSpace(value) != ""
	case name == "subprotocol":
		return !isReference(s.value) && len(credential.Subprotocols([]string{s.value})) > 0
	case !s.opt.secret:
		return false
	case name == "proxy":
		proxy, err := parseProxy("", s.value)
		return err == nil && proxy != nil && proxy.Password != ""
	case isReference(s.value):
		return false
	case s.opt.pair:
		_, password, _ := strings.Cut(s.value, ":")
		return password != "" && !isReference(password)
	}
	return s.value != ""
}

// longUser is how long a user name without a password is that is taken for a token:
// wss://TOKEN@stream.example.com.
const longUser = 16

// sensitiveAddress are the parts of an address that must not be shown, as they are
// meant and as they are written: more may be percent-encoded than needs to be, or
// less.
func sensitiveAddress(address string) []string {
	var out []string
	u, err := url.Parse(address)
	if err != nil {
		return out
	}
	_, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	written := strings.TrimSuffix(rest[:strings.LastIndexByte(rest, '@')+1], "@")
	if password, ok := u.User.Password(); ok && password != "" {
		_, written, _ = strings.Cut(written, ":")
		out = append(out, password, written)
	} else if user := u.User.Username(); !ok && len(user) >= longUser {
		out = append(out, user, written)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if value == "" || !credential.Query(name, value) {
			continue
		}
		out = append(out, value)
		if plain, err := url.QueryUnescape(value); err == nil && plain != value {
			out = append(out, plain)
		}
	}
	return out
}
