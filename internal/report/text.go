package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// writeJSON writes --report json=FILE.
func writeJSON(w io.Writer, r *Run) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeTAP writes --report tap=FILE: version 13 of the Test Anything Protocol,
// with a YAML block for each case.
func writeTAP(w io.Writer, r *Run) error {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 13\n1..%d\n", len(r.Cases))
	for i, c := range r.Cases {
		verdict, directive := "ok", ""
		switch c.Status {
		case Failed, Broken:
			verdict = "not ok"
		case Skipped:
			directive = " # SKIP " + tapText(c.Message)
		}
		fmt.Fprintf(&b, "%s %d - %s%s\n", verdict, i+1, tapText(c.Name), directive)
		tapDetails(&b, c, r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tapText returns a text as one line without directives.
func tapText(text string) string {
	return strings.NewReplacer(`\`, `\\`, "#", `\#`, "\n", " ").Replace(text)
}

func tapDetails(b *strings.Builder, c Case, r *Run) {
	b.WriteString("  ---\n")
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "  %s: %s\n", name, tapString(value))
		}
	}
	fmt.Fprintf(b, "  duration_ms: %.0f\n", c.Seconds*1000)
	line("message", c.Message)
	line("event", c.Event)
	if c.last() && len(r.Last) > 0 {
		b.WriteString("  last_events:\n")
		for _, e := range r.Last {
			fmt.Fprintf(b, "    - %s\n", tapString(e.Text))
		}
	}
	b.WriteString("  ...\n")
}

// tapString returns a YAML string in the syntax of JSON.
func tapString(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}
