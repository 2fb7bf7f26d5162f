package commands

import (
	"context"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/cmdline"
)

// Headings of flags in help texts.
const (
	catEnd     = "When to end"
	catOutput  = "Output"
	catLink    = "Connection"
	catService = "Service"
	catStatus  = "Status"
	catReady   = "When it is ready"
	catPrompt  = "Prompt"
)

// streamFlags are the flags of every command that streams, by what they are about.
// Each group declares its flags, checks them, and hands its settings over to the
// part of the program that acts on them.
type streamFlags struct {
	endFlags
	outputFlags
	linkFlags
	statusFlags
	readyFlags
	tapeFlags
	promptFlags
	watchFlags
}

func newStreamFlags() *streamFlags {
	return &streamFlags{
		outputFlags: newOutputFlags(), linkFlags: newLinkFlags(), statusFlags: newStatusFlags(),
		promptFlags: newPromptFlags(), watchFlags: newWatchFlags(),
	}
}

// flags declares them. Their values are read from the struct.
func (f *streamFlags) flags() []*cmdline.Flag {
	return slices.Concat(f.endFlags.flags(), f.readyFlags.flags(), f.outputFlags.flags(), f.tapeFlags.flags(),
		f.statusFlags.flags(), f.linkFlags.flags(), f.promptFlags.flags(), f.watchFlags.flags())
}

// check finds values that make no sense.
func (f *streamFlags) check(ctx context.Context, line *cmdline.Line) error {
	for _, check := range []func(context.Context, *cmdline.Line) error{
		f.endFlags.check, f.readyFlags.check, f.outputFlags.check, f.tapeFlags.check, f.statusFlags.check, f.linkFlags.check,
		f.promptFlags.check, f.watchFlags.check,
	} {
		if err := check(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// checkDuration finds a duration that is negative, or 0 where that is not allowed.
func checkDuration(line *cmdline.Line, flag string, d time.Duration, zero bool) error {
	if as := line.GivenAs(flag); as != "" && (d < 0 || d == 0 && !zero) {
		return cmdline.FlagErrorf(as, " %s: the duration must be positive", d)
	}
	return nil
}
