package recipes

import (
	"fmt"
	"slices"

	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/proto/recipe"
)

// CheckNames finds a recipe that has the name of a command, or a parameter that has the
// name of a flag of streams or of the program, which root leads to. Its error is for the
// user.
func CheckNames(r *recipe.Recipe, at *cmdline.Command) error {
	root := at.Root()
	var errs recipe.Errors
	if slices.ContainsFunc(root.Children(), func(c *cmdline.Command) bool { return c.Name == r.Name }) {
		errs = append(errs, r.Mistake(fmt.Sprintf("name: %q is the name of a command of hark", r.Name), "name"))
	}
	taken := append(stream.NewFlags().Flags(), root.Flags...)
	for _, q := range r.Params {
		if q.Arg {
			continue
		}
		if len(q.Name) == 1 {
			errs = append(errs, r.Mistake(fmt.Sprintf("[param.%s]: the name of a flag has two letters at least", q.Name), "param", q.Name))
			continue
		}
		if slices.ContainsFunc(taken, func(f *cmdline.Flag) bool { return f.Name == q.Name || slices.Contains(f.Aliases, q.Name) }) ||
			slices.Contains(ownFlags, q.Name) {
			errs = append(errs, r.Mistake(fmt.Sprintf("[param.%s]: --%[1]s is a flag of every stream", q.Name), "param", q.Name))
		}
	}
	if errs != nil {
		return &mistakes{errs}
	}
	return nil
}

// ownFlags are those of every recipe besides those of streams.
var ownFlags = []string{"ack-timeout", "emulator", "help", "help-all", "rate", "version"}
