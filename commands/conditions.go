package commands

import (
	"time"

	"github.com/urfave/cli/v2"
)

// endFlags say when a stream ends.
type endFlags struct {
	count   uint64
	until   string
	idle    time.Duration
	maxTime time.Duration
}

func (f *endFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.Uint64Flag{Name: "count", Aliases: []string{"n"}, Category: catEnd, Destination: &f.count,
			Usage: "end after `N` events were printed"},
		&cli.StringFlag{Name: "until", Category: catEnd, Destination: &f.until,
			Usage: "end after the event for which the jq expression `EXPR` is true; it is printed"},
		&cli.DurationFlag{Name: "idle", Category: catEnd, Destination: &f.idle,
			Usage: "end when no event has come for `D`"},
		&cli.DurationFlag{Name: "max-time", Aliases: []string{"m"}, Category: catEnd, Destination: &f.maxTime,
			Usage: "end after `D` in any case"},
	}
}

func (f *endFlags) check(c *cli.Context) error {
	if as := givenAs(c, "count"); as != "" && f.count == 0 {
		return usagef("%s 0: the number of events must be at least 1", as)
	}
	if err := checkDuration(c, "idle", f.idle, false); err != nil {
		return err
	}
	return checkDuration(c, "max-time", f.maxTime, false)
}
