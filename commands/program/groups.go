package program

import (
	"context"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
)

// Headings of flags in help texts.
const (
	CatEnd      = "When to end"
	CatOutput   = "Output"
	CatDelivery = "Delivery"
	CatDialog   = "Dialogue"
	CatLink     = "Connection"
	CatService  = "Service"
	CatStatus   = "Status"
	CatReady    = "When it is ready"
	CatPrompt   = "Prompt"
)

// CatProxy is the heading of flags about proxies.
const CatProxy = "Proxy"

// CatTLS is the heading of flags about TLS.
const CatTLS = "TLS"

// CheckDuration returns an error for a duration that is negative, or 0 where that is
// not allowed.
func CheckDuration(line *cmdline.Line, flag string, d time.Duration, zero bool) error {
	if as := line.GivenAs(flag); as != "" && (d < 0 || d == 0 && !zero) {
		return cmdline.ValueErrorf(as, d.String(), "must be positive")
	}
	return nil
}

// WordsOf returns a completion of words.
func WordsOf(words []string) cmdline.Completion {
	return func(context.Context, *cmdline.Line) []cmdline.Candidate { return cmdline.Words(words...) }
}
