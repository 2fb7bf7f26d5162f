package commands

import (
	"context"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
)

// watchFlags bound what an expression may cost.
type watchFlags struct{ jqTimeout time.Duration }

func newWatchFlags() watchFlags { return watchFlags{jqTimeout: 10 * time.Second} }

func (f *watchFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "jq-timeout", Rare: true, Group: catOutput, Value: cmdline.Duration(&f.jqTimeout),
			Usage: "end with an error when an expression takes longer than `D` for one event; 0 for no limit"},
	}
}

func (f *watchFlags) check(ctx context.Context, line *cmdline.Line) error {
	return checkDuration(line, "jq-timeout", f.jqTimeout, true)
}
