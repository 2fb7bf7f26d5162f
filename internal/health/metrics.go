package health

import (
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of Text.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// A Metric is a number with a name of its own.
type Metric struct {
	// Name is in the form of Prometheus; that of a counter ends with _total.
	Name string
	// Help says what it is, and its unit.
	Help string
	// Counter: it only rises. Otherwise it is a gauge.
	Counter bool
	// Labels are names and values, in turns.
	Labels []string
	Value  float64
}

// Text returns metrics in the text format of Prometheus, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Metrics of one name
// follow each other.
func Text(metrics []Metric) []byte {
	var b []byte
	name := ""
	for _, m := range metrics {
		if m.Name != name {
			name = m.Name
			b = append(b, "# HELP "+name+" "+escape(m.Help, "\\", "\n")+"\n# TYPE "+name+" "...)
			if m.Counter {
				b = append(b, "counter\n"...)
			} else {
				b = append(b, "gauge\n"...)
			}
		}
		b = append(b, name...)
		sep := byte('{')
		for pair := range slices.Chunk(m.Labels, 2) {
			b = append(b, sep)
			b = append(b, pair[0]+`="`+escape(pair[1], "\\", "\n", `"`)+`"`...)
			sep = ','
		}
		if sep == ',' {
			b = append(b, '}')
		}
		b = append(b, ' ')
		b = append(strconv.AppendFloat(b, m.Value, 'g', -1, 64), '\n')
	}
	return b
}

// escape puts a backslash in front of characters; a line feed becomes \n.
func escape(s string, characters ...string) string {
	for _, c := range characters {
		as := `\` + c
		if c == "\n" {
			as = `\n`
		}
		s = strings.ReplaceAll(s, c, as)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
