package prompt

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/pattern"
	"github.com/hark-cli/hark/internal/secret"
)

// references replaces credentials in the lines of a script by references to environment
// variables.
type references struct {
	redact func(string) string
	names  []string // of the variables, in the order of their first use
	values []string // of the variables
	// masked: there was a credential that a variable cannot replace.
	masked bool
}

// line returns a message as a line of a here-document of sh in which variables are
// expanded.
func (r *references) line(text string) string {
	return r.expand(text, credential.Values, func(text string) string { return credential.Mask(text, secret.Mask) })
}

// command is line for a command, whose credentials are in the strings of its expressions.
func (r *references) command(text string) string {
	return r.expand(text, literalCredentials, func(text string) string {
		for _, v := range literalCredentials(text) {
			text = strings.ReplaceAll(text, v, secret.Mask)
		}
		return text
	})
}

// literal matches a string of jq, and the name of its member.
var literal = pattern.Lazy(`(?:"?([A-Za-z_][\w-]*)"?\s*:\s*)?"((?:[^"\\]|\\.)*)"`)

// literalCredentials returns the credentials in the strings of a jq expression.
func literalCredentials(expr string) (list []string) {
	for _, m := range literal().FindAllStringSubmatch(expr, -1) {
		if credential.Member(m[1]) && m[2] != "" && m[2] != secret.Mask {
			list = append(list, m[2])
		}
		list = append(list, credential.Values(m[2])...)
	}
	return list
}

// expand replaces the values that find finds. What mask does not change has none.
func (r *references) expand(text string, find func(string) []string, mask func(string) string) string {
	const open, shut = "\x01", "\x02" // around the number of a variable
	values := find(text)
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	marked := text
	for _, v := range values {
		if strings.Contains(marked, v) && !strings.ContainsAny(v, "\r\n\x00") {
			marked = strings.ReplaceAll(marked, v, fmt.Sprint(open, r.variable(v, text), shut))
		}
	}
	number := regexp.MustCompile(open + `(\d+)` + shut)
	// What remains must be free of credentials, also of those that only the printer knows.
	rest := number.ReplaceAllString(marked, secret.Mask)
	if mask(rest) != rest || r.redact(rest) != rest || strings.ContainsAny(rest, open+shut) {
		r.masked = true
		return hereDocument(mask(r.redact(text)))
	}
	return number.ReplaceAllStringFunc(hereDocument(marked), func(m string) string {
		var n int
		if _, err := fmt.Sscan(m[1:len(m)-1], &n); err != nil {
			return secret.Mask
		}
		return "${" + r.names[n] + "}"
	})
}

// hereDocument escapes what is not literal in a here-document of sh.
func hereDocument(text string) string {
	return strings.NewReplacer(`\`, `\\`, "$", `\$`, "`", "\\`").Replace(text)
}

// memberOf matches the name of the last member or parameter at the end of a text.
var memberOf = pattern.Lazy(`([A-Za-z_][A-Za-z0-9_]*)"?\s*[:=]\s*["']?$`)

// variable returns the number of the variable for a value, named after the member that
// it has in text.
func (r *references) variable(value, text string) int {
	if i := slices.Index(r.values, value); i >= 0 {
		return i
	}
	name := "CREDENTIAL"
	if m := memberOf().FindStringSubmatch(text[:strings.Index(text, value)]); m != nil {
		name = strings.ToUpper(m[1])
	}
	unique := name
	for n := 2; slices.Contains(r.names, unique); n++ {
		unique = fmt.Sprint(name, "_", n)
	}
	r.names, r.values = append(r.names, unique), append(r.values, value)
	return len(r.names) - 1
}
