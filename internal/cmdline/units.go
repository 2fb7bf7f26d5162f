package cmdline

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	bareNumber = pattern(`^-?(\d+\.?\d*|\.\d+)$`)
	// wordyDuration are numbers with units, as people write them.
	wordyDuration = pattern(`^-?((\d+\.?\d*|\.\d+) ?[a-zµμ]+ ?)+$`)
	durationPart  = pattern(`(\d+\.?\d*|\.\d+) ?([a-zµμ]+)`)
)

// pattern is a regular expression that is compiled on first use: most runs use none,
// and compiling all of them would slow the start noticeably.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// ParseDuration parses a duration in the syntax of time.ParseDuration, or a number of
// seconds as in curl ("30"), or with units such as "1d", "5min" and "1 hour".
func ParseDuration(text string) (time.Duration, error) {
	return time.ParseDuration(goDuration(text))
}

// durationUnits are the units that Go does not have: in terms of a unit of Go, and how
// many of it.
func durationUnits() map[string]struct {
	unit   string
	factor float64
} {
	type as = struct {
		unit   string
		factor float64
	}
	units := map[string]as{"d": {"h", 24}, "day": {"h", 24}, "days": {"h", 24}, "w": {"h", 168}, "week": {"h", 168}, "weeks": {"h", 168}}
	for unit, names := range map[string]string{"h": "hr hrs hour hours", "m": "min mins minute minutes", "s": "sec secs second seconds", "ms": "msec millis"} {
		for name := range strings.FieldsSeq(names) {
			units[name] = as{unit, 1}
		}
	}
	return units
}

// goDuration returns a duration in the syntax of time.ParseDuration. Other texts are
// returned unchanged.
func goDuration(text string) string {
	if bareNumber().MatchString(text) {
		return text + "s"
	}
	lower := strings.ToLower(text)
	if !wordyDuration().MatchString(lower) {
		return text
	}
	units := durationUnits()
	var b strings.Builder
	if lower[0] == '-' {
		b.WriteByte('-')
	}
	for _, part := range durationPart().FindAllStringSubmatch(lower, -1) {
		number, unit := part[1], part[2]
		if u, ok := units[unit]; ok {
			n, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return text
			}
			number, unit = strconv.FormatFloat(n*u.factor, 'f', -1, 64), u.unit
		}
		b.WriteString(number + unit)
	}
	return b.String()
}
