package recipes

import (
	"testing"

	"github.com/hark-cli/hark/proto/recipe"
)

// Each recipe is one, under the name of its file, and says where it is from.
func TestRecipes(t *testing.T) {
	for _, name := range Names() {
		src, _ := Source(name)
		r, err := recipe.Parse(name+".toml", src)
		if err != nil {
			t.Error(err)
			continue
		}
		if r.Name != name || r.About == "" || r.Docs == "" {
			t.Errorf("%s: name %q, about %q, docs %q", name, r.Name, r.About, r.Docs)
		}
		for _, p := range r.Params {
			if p.About == "" {
				t.Errorf("%s: nothing says what %s is", name, p.Name)
			}
		}
	}
}
