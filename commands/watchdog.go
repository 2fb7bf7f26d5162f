package commands

import (
	"time"

	"github.com/urfave/cli/v2"
)

// watchFlags bound what an expression may cost.
type watchFlags struct{ jqTimeout time.Duration }

func newWatchFlags() watchFlags { return watchFlags{jqTimeout: 10 * time.Second} }

func (f *watchFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "jq-timeout", Category: catOutput, Destination: &f.jqTimeout, Value: f.jqTimeout,
			Usage: "end with an error when an expression takes longer than `D` for one event; 0 for no limit"},
	}
}

func (f *watchFlags) check(c *cli.Context) error {
	return checkDuration(c, "jq-timeout", f.jqTimeout, true)
}
