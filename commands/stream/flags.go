package stream

import (
	"context"
	"slices"

	"github.com/hark-cli/hark/commands/deliver"
	"github.com/hark-cli/hark/internal/cmdline"
)

// DeliverFlags define where events are delivered to.
type DeliverFlags = deliver.Flags

// Flags are the flags of every streaming command, in groups. Each group declares its
// flags, checks them, and passes its settings to the code that uses them.
type Flags struct {
	EndFlags
	OutputFlags
	LinkFlags
	StatusFlags
	healthFlags
	readyFlags
	recordingFlags
	promptFlags
	watchFlags
	tableFlags
	DeliverFlags
	CursorFlags
}

// NewFlags returns flags with their defaults.
func NewFlags() *Flags {
	return &Flags{
		OutputFlags: newOutputFlags(), LinkFlags: newLinkFlags(), StatusFlags: newStatusFlags(),
		promptFlags: newPromptFlags(), watchFlags: newWatchFlags(), DeliverFlags: deliver.NewFlags(),
		CursorFlags: newCursorFlags(),
	}
}

// Flags declares them. Their values are read from the struct.
func (f *Flags) Flags() []*cmdline.Flag {
	return slices.Concat(f.EndFlags.Flags(), f.readyFlags.flags(), f.OutputFlags.Flags(), f.recordingFlags.flags(),
		f.StatusFlags.Flags(), f.healthFlags.flags(), f.LinkFlags.flags(), f.promptFlags.flags(), f.watchFlags.flags(), f.tableFlags.flags(), f.DeliverFlags.Flags(),
		f.CursorFlags.Flags())
}

// Check returns an error for an invalid value.
func (f *Flags) Check(ctx context.Context, line *cmdline.Line) error {
	for _, check := range []func(context.Context, *cmdline.Line) error{
		f.EndFlags.Check, f.readyFlags.check, f.OutputFlags.Check, f.recordingFlags.check, f.StatusFlags.Check, f.LinkFlags.check,
		f.promptFlags.check, f.watchFlags.check, f.checkTable, f.DeliverFlags.Check, f.CursorFlags.Check,
	} {
		if err := check(ctx, line); err != nil {
			return err
		}
	}
	if err := f.CursorFlags.With(line, f.Format); err != nil {
		return err
	}
	if f.cursor != "" {
		f.Auto = false
		if f.Interactive {
			return cmdline.FlagErrorf(line.GivenAs("interactive"), " cannot be used with --cursor")
		}
	}
	if f.DeliverFlags.Given() {
		f.Auto = false
		if f.Interactive {
			return cmdline.FlagErrorf(line.GivenAs("interactive"), " cannot be used with --to")
		}
	}
	return nil
}
