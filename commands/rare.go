package commands

import (
	"slices"

	"github.com/hark-cli/hark/internal/cmdline"
)

// rareGroups are headings under which the short help explains only the flags of
// essentialFlags, and names the others.
var rareGroups = []string{catReady, catStatus, catLink, catProxy, catTLS, catPrompt}

// essentialFlags are those of the rareGroups that many have a use for.
var essentialFlags = []string{
	"on-ready", "status", "retries", "header", "proxy", "insecure", "cacert", "interactive",
	"subprotocol", "user", "send", "send-file", "reconnect", // of connect
}

// rareFlags are named only in other groups.
var rareFlags = []string{
	"jq-error", "jq-timeout", "null", "time", "color", // Output
	"token-store", "auth-in-query", "ack-timeout", "heartbeat", "host-style", "app-version", // Service
}

// rare reports whether few need a flag, so that the short help only names it.
func rare(f *cmdline.Flag) bool {
	return slices.Contains(rareGroups, f.Group) && !slices.Contains(essentialFlags, f.Name) ||
		(f.Group == catOutput || f.Group == catService) && slices.Contains(rareFlags, f.Name)
}
