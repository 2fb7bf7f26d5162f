package credential

import (
	"regexp"
	"slices"
	"strings"
)

// Values returns the credentials that a message seems to hold: of JSON members, also
// of JSON that is not complete, of lines like those of a header or a query, of the
// commands with which chat protocols log in, and what has the form of a token of a
// well-known service. A few more than there are do no harm.
func Values(text string) []string {
	var found []string
	add := func(value string) {
		if value = strings.Trim(value, `"'`); value != "" && !plainValues.MatchString(value) && !slices.Contains(found, value) {
			found = append(found, value)
		}
	}
	for _, m := range member.FindAllStringSubmatch(text, -1) {
		if Member(m[1]) {
			add(m[2])
		}
	}
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		if Member(m[1]) || strings.EqualFold(m[1], "code") {
			add(m[2])
		}
	}
	for _, m := range scheme.FindAllStringSubmatch(text, -1) {
		add(m[1])
	}
	for _, m := range command.FindAllStringSubmatch(text, -1) {
		words := strings.Fields(m[2])
		add(strings.TrimPrefix(words[len(words)-1], ":"))
	}
	for _, m := range token.FindAllStringSubmatch(text, -1) {
		add(m[0])
		add(m[1])
	}
	return found
}

// Holds reports whether a message seems to hold a credential; a member that is named
// like one counts, whatever its value is.
func Holds(text string) bool {
	if len(Values(text)) > 0 {
		return true
	}
	for _, m := range memberName.FindAllStringSubmatch(text, -1) {
		if Member(m[1]) {
			return true
		}
	}
	return false
}

// Mask returns a message with mask in place of each of its credentials.
func Mask(text, mask string) string {
	values := Values(text)
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		text = strings.ReplaceAll(text, v, mask)
	}
	return text
}

var (
	memberName = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"\s*:`)
	member     = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*"?|[^\s,{}\[\]"]+)`)
	// assignment is name=value or name: value, at the begin of a line or behind what
	// separates; \n may be written out.
	assignment = regexp.MustCompile(`(?:^|[\s;,&?]|\\[nr0])([A-Za-z][\w.-]*)[ \t]*[:=][ \t]*("[^"]*"|[^\s&;,"\\{\[]+)`)
	scheme     = regexp.MustCompile(`(?i)\b(?:bearer|basic|digest)\s+([\w.~+/=-]{4,})`)
	// command is the login of IRC, POP, SMTP, Redis and bots, with one to three arguments.
	command = regexp.MustCompile(`(?im)(?:^|\\n)\s*/?(pass|password|auth|login|identify|oper|authenticate|(?:msg\s+)?nickserv\s+identify)((?:[ \t]+[^\s\\]+){1,3})[ \t]*(?:$|\\)`)
	// token is what services give out in a form of their own: JSON Web Tokens, keys of
	// AWS with what stands beside, of GitHub, GitLab, Slack, Stripe, OpenAI, Google.
	token = regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\b(?:AKIA|ASIA)[A-Z0-9]{12,}(?:[\s,:;]+([^\s"]+))?|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{8,}|\b[spr]k[-_][\w-]{16,}|\bAIza[\w-]{24,}`)
	// plainValues are no credentials.
	plainValues = regexp.MustCompile(`^(true|false|null|\*+|Bearer|Basic|Digest|//.*)$`)
)
