package run

import (
	"context"
	"strings"

	"github.com/hark-cli/hark/commands/recipes"
	"github.com/hark-cli/hark/commands/stream"
	"github.com/hark-cli/hark/internal/cmdline"
	emulated "github.com/hark-cli/hark/internal/emulator/recipe"
)

// emulate puts an emulator that plays the transcript of the recipe instead of
// everything that the recipe connects to. Parameters that the user does not give are
// those of the transcript.
func (o *options) emulate(ctx context.Context, file *recipes.File, s *stream.Stream) error {
	script, err := file.Script(ctx)
	if err != nil {
		return err
	}
	if script == nil {
		return cmdline.FlagErrorf("--emulator", ": there is no transcript %s", strings.TrimSuffix(file.Path, ".toml")+".txt")
	}
	service, err := emulated.Service(o.recipe.Name, script, recipes.Framing(o.recipe))
	if err != nil {
		return cmdline.FlagErrorf("--emulator", ": %v", err)
	}
	given, err := recipes.CaseOptions(o.recipe, script.Live())
	if err != nil {
		return cmdline.FlagErrorf("--emulator", ": %v", err)
	}
	for name, v := range given.Values {
		if _, there := o.values[name]; !there {
			o.values[name] = v
		}
	}
	for name, source := range given.Secrets {
		if o.secrets[name] == nil && o.values[name] == nil {
			o.secrets[name] = source
		}
	}
	return s.EmulateAll(service, o.rate, emulated.Transport)
}
