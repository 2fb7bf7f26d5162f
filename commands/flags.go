package commands

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
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
		return cmdline.Usagef("%s %s: the duration must be positive", as, d)
	}
	return nil
}

// A size is a number of bytes, as a flag: 1024, 64KiB, 10MB, in capitals or not.
type size int64

var sizeUnits = []struct {
	name   string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1},
}

// Set implements flag.Value.
func (s *size) Set(text string) error {
	number, factor := strings.TrimSpace(text), 1.0
	for _, u := range sizeUnits {
		at := len(number) - len(u.name)
		if at > 0 && strings.EqualFold(number[at:], u.name) {
			n := number[:at]
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*factor > 1<<50 {
		return fmt.Errorf("expected a size such as 65536, 64KiB or 10MB")
	}
	*s = size(f * factor)
	return nil
}

// String implements flag.Value.
func (s *size) String() string {
	for _, u := range []struct {
		name   string
		factor size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if *s >= u.factor && *s%u.factor == 0 {
			return strconv.FormatInt(int64(*s/u.factor), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}
