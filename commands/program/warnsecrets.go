package program

import (
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
)

// Observe checks a command line before it is run: whether warnings are disabled, and
// whether it contains a credential.
func (p *Program) Observe(line *cmdline.Line) {
	p.quiet = line.IsSet("quiet")
	p.MaxTime = MaxTimeOf(line)
	if line.Value("status") == "json" {
		p.Say.Hold() // stderr will have records only
	}
	p.warnVariables(line)
	if line.IsSet("no-warn-secrets") {
		return
	}
	for _, s := range line.Settings {
		if !strings.HasPrefix(s.As, "-") || !showsSecret(s) {
			continue
		}
		instead := "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME, or set " + s.Flag.Variable()
		switch s.Flag.Name {
		case "header":
			instead = "-H @FILE, or set " + s.Flag.Variable()
		case "to":
			instead = "--to-user or --to-header @FILE, or set " + s.Flag.Variable()
		case "to-header":
			instead = "--to-header @FILE, or set " + s.Flag.Variable()
		case "subprotocol":
			instead = "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME"
		case "proxy":
			instead = "--proxy-user, or set " + s.Flag.Variable()
		}
		p.WarnSecret(s.As, strings.TrimSuffix(instead, ", or set ")) // if there is no variable
		return
	}
	var offered []string // of which one may say that the next is a credential
	for _, s := range line.Settings {
		if s.Flag.Name == "subprotocol" && !credential.IsReference(s.Value) {
			offered = append(offered, s.Value)
		}
	}
	if len(credential.Subprotocols(offered)) > 0 {
		p.WarnSecret("--subprotocol", "env:NAME, file:PATH, cmd:COMMAND or keyring:SERVICE/NAME")
		return
	}
	args, _, _ := line.Split()
	for _, arg := range args {
		if strings.Contains(arg, "://") && len(credential.AddressParts(arg)) > 0 {
			p.WarnSecret("the address", "-u or -H, or keep the line out of sight of others")
			return
		}
	}
}

// WarnSecret warns of a credential on the command line.
func (p *Program) WarnSecret(where, instead string) {
	p.Warn("the credential in %s is on the command line, where other users of the machine may see it: use %s "+
		"(--no-warn-secrets silences this)", where, instead)
}

// Warn prints a warning, unless warnings are disabled.
func (p *Program) Warn(format string, args ...any) {
	if !p.quiet {
		p.Say.Warning(format, args...)
	}
}

// showsSecret reports whether the value of a flag is a credential itself, not a
// reference to one.
func showsSecret(s cmdline.Setting) bool {
	switch name := s.Flag.Name; {
	case name == "header" || name == "to-header":
		name, value, _ := strings.Cut(s.Value, ":")
		return credential.Header(strings.TrimSpace(name)) && strings.TrimSpace(value) != ""
	case name == "subprotocol":
		return !credential.IsReference(s.Value) && len(credential.Subprotocols([]string{s.Value})) > 0
	case !s.Flag.Secret:
		return false
	case name == "to":
		return strings.Contains(s.Value, "://") && len(credential.AddressParts(s.Value)) > 0
	case name == "proxy":
		proxy, err := netdial.ParseProxy(s.Value)
		return err == nil && proxy != nil && proxy.Password != ""
	case credential.IsReference(s.Value):
		return false
	case s.Flag.Pair:
		_, password, _ := strings.Cut(s.Value, ":")
		return password != "" && !credential.IsReference(password)
	}
	return s.Value != ""
}
