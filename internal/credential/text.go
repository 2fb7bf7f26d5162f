package credential

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/pattern"
)

// Values returns the credentials that a message seems to contain: of JSON members, also
// of JSON that is not complete, of requests to log in, of lines like those of a header
// or a query, of XML elements, of the commands with which chat protocols log in, and
// what has the form of a token of a well-known service. It may return values that are
// not credentials.
func Values(text string) []string {
	var f finder
	f.text(text, 0)
	return f.values
}

// Contains reports whether a message seems to contain a credential; a member with the
// name of one counts, whatever its value.
func Contains(text string) bool {
	if len(Values(text)) > 0 {
		return true
	}
	for _, m := range memberName().FindAllStringSubmatch(text, -1) {
		if Member(m[1]) {
			return true
		}
	}
	return false
}

// Mask returns a message with mask instead of each of its credentials. JSON stays
// JSON: a value that is an array or an object is replaced by one string. Where it is
// not certain where a credential ends, the rest of the line is replaced.
func Mask(text, mask string) string {
	f := finder{mask: mask}
	text = f.text(text, 0)
	slices.SortFunc(f.repeated, func(a, b string) int { return len(b) - len(a) })
	for _, v := range f.repeated {
		text = strings.ReplaceAll(text, v, mask)
	}
	return text
}

// A finder replaces credentials, and records them.
type finder struct {
	mask   string
	values []string
	// repeated are the values that are replaced everywhere else, too.
	repeated []string
}

// shortestRepeated is the length below which a value is replaced only where it was found.
const shortestRepeated = 4

// add records a value, and reports whether it is a credential.
func (f *finder) add(value string) bool {
	value = strings.Trim(value, "\"' \t\r")
	if value == "" || plainValue().MatchString(value) {
		return false
	}
	if !slices.Contains(f.values, value) {
		f.values = append(f.values, value)
		if len(value) >= shortestRepeated && strings.Trim(value, "0123456789.") != "" {
			f.repeated = append(f.repeated, value)
		}
	}
	return true
}

// deepest is the maximum nesting of JSON in JSON strings.
const deepest = 8

// text returns s without its credentials. Outside of JSON, it checks lines.
func (f *finder) text(s string, depth int) string {
	if depth > deepest {
		return s
	}
	var out strings.Builder
	spans := spansOf(s)
	for pos := 0; pos < len(s); {
		for len(spans) > 0 && spans[0].to <= pos {
			spans = spans[1:]
		}
		begin := jsonBegin(s, pos)
		if len(spans) > 0 && (begin < 0 || spans[0].from <= begin) {
			from := max(spans[0].from, pos)
			out.WriteString(s[pos:from])
			if f.span(s, spans[0]) {
				out.WriteString(f.mask)
			} else {
				out.WriteString(s[from:spans[0].to])
			}
			pos = spans[0].to
			continue
		}
		if begin < 0 {
			out.WriteString(s[pos:])
			break
		}
		end := extent(s, begin)
		out.WriteString(s[pos:begin])
		out.WriteString(f.json(s[begin:end], depth))
		pos = end
	}
	return out.String()
}

// span records the values of a span, and reports whether there is one.
func (f *finder) span(s string, sp span) bool {
	whole := s[sp.from:sp.to]
	found := f.add(whole)
	if !found {
		return false
	}
	if before, _, ok := cutEscape(whole); ok {
		f.add(before)
		whole = before
	}
	if words := strings.Fields(whole); len(words) > 1 {
		f.add(strings.TrimRight(words[0], `,;&"'`))
		f.add(strings.TrimLeft(words[len(words)-1], `:>`))
	} else if len(words) == 1 {
		first, _, _ := strings.Cut(words[0], "&")
		f.add(strings.TrimRight(strings.TrimLeft(first, ":>"), `,;"'}]`))
	}
	return true
}

// cutEscape cuts s at an escaped line feed, as at the prompt.
func cutEscape(s string) (before, after string, found bool) {
	at := writtenEnd().FindStringIndex(s)
	if at == nil {
		return s, "", false
	}
	return s[:at[0]], s[at[1]:], true
}

// A span is a part of a text, outside of JSON, that is a credential.
type span struct{ from, to int }

// spansOf returns the spans of s in the order in which they begin.
func spansOf(s string) []span {
	var out []span
	add := func(from, to int) {
		if from >= 0 && from < to {
			out = append(out, span{from, to})
		}
	}
	lineEnd := func(at int) int {
		if n := strings.IndexAny(s[at:], "\r\n\x00"); n >= 0 {
			return at + n
		}
		return len(s)
	}
	for _, m := range assignment().FindAllStringSubmatchIndex(s, -1) {
		name := s[m[2]:m[3]]
		if !Member(name) && !strings.EqualFold(name, "code") || strings.HasPrefix(s[m[1]:], "//") {
			continue
		}
		from, to := m[1], lineEnd(m[1])
		if word := s[strings.LastIndexAny(s[:m[2]], " \t\r\n")+1 : m[2]]; strings.Contains(word, "?") {
			if n := strings.IndexAny(s[from:to], " \t&#\"'<>"); n >= 0 { // a query, which has no spaces
				to = from + n
			}
		} else if m := schemeName().FindString(s[from:to]); m != "" {
			from += len(m)
		} else if strings.EqualFold(name, "code") && strings.ContainsAny(strings.TrimSpace(s[from:to]), " \t") {
			if n := strings.IndexAny(s[from:to], " \t&;,"); n > 0 { // others are numbers of ordinary things
				to = from + n
			}
		}
		add(from, to)
	}
	for _, m := range scheme().FindAllStringSubmatchIndex(s, -1) {
		add(m[2], m[3])
	}
	for _, m := range command().FindAllStringSubmatchIndex(s, -1) {
		add(m[2], m[3])
	}
	for _, m := range upperCommand().FindAllStringIndex(s, -1) {
		add(m[1], lineEnd(m[1]))
	}
	for _, m := range element().FindAllStringSubmatchIndex(s, -1) {
		name := s[m[2]:m[3]]
		_, local, ok := strings.Cut(name, ":")
		if !ok {
			local = name
		}
		if Member(local) || strings.Contains(s[m[4]:m[5]], "xmpp-sasl") {
			to := len(s)
			if n := strings.Index(s[m[1]:], "</"+name); n >= 0 {
				to = m[1] + n
			}
			add(m[1], to)
		}
	}
	for _, m := range token().FindAllStringIndex(s, -1) {
		add(m[0], m[1])
	}
	slices.SortFunc(out, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	return out
}

var (
	memberName = pattern.Lazy(`"((?:[^"\\]|\\.)*)"\s*:`)
	// assignment is name=value or name: value up to its value, at the beginning of a
	// line or after a separator; a line feed may be escaped, and the name quoted.
	assignment = pattern.Lazy(`(?:^|[\s;,&?{\[('"]|\\[nr0])([A-Za-z][\w.-]*)["']?[ \t]*(?:=>|:=|[:=])[ \t]*`)
	// schemeName is the part of a header that may be shown.
	schemeName = pattern.Lazy(`^(?i:bearer|basic|digest)[ \t]+`)
	scheme     = pattern.Lazy(`(?i)\b(?:bearer|basic|digest)\s+([\w.~+/=-]{4,})`)
	// command is the login of IRC, POP, SMTP, Redis and bots, with one to three arguments:
	// prose has more.
	command = pattern.Lazy(`(?im)(?:^|\\n)\s*/?(?:pass|password|auth|login|identify|oper|authenticate|sasl|(?:msg\s+)?nickserv\s+identify)[ \t]+([^\s\\=][^\s\\]*(?:[ \t]+[^\s\\]+){0,2})[ \t]*(?:$|\\)`)
	// upperCommand matches a word of a command in upper case, as in Redis, IRC and SQL,
	// that is followed by credentials, and unambiguous ones in lower case.
	upperCommand = pattern.Lazy(`(?:^|[\s:/;]|\\[nr0])(?:AUTH2?|SASL|PASS|PASSWORD|LOGIN|OPER|IDENTIFY|AUTHENTICATE|IDENTIFIED[ \t]+BY|(?i:requirepass|masterauth|acl[ \t]+setuser|nickserv[ \t]+:?identify|hello[ \t]+\d+[ \t]+auth|sasl[ \t]+(?:plain|login|external|scram[\w-]*)))[ \t]+`)
	// element is the beginning of an XML element.
	element = pattern.Lazy(`<([A-Za-z][\w:.-]*)((?:\s[^<>]*[^<>/])?)>`)
	// token matches the tokens of well-known services: JSON Web Tokens, keys of AWS
	// with what follows, of GitHub, GitLab, Slack, Stripe, OpenAI, Google.
	token = pattern.Lazy(`\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\b(?:AKIA|ASIA)[A-Z0-9]{12,}(?:[\s,:;]+([^\s"]+))?|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{8,}|\b[spr]k[-_][\w-]{16,}|\bAIza[\w-]{24,}`)
	// plainValue matches values that are not credentials.
	plainValue = pattern.Lazy(`^(true|false|null|\*+|Bearer|Basic|Digest)[,;}\]]*$`)
	writtenEnd = pattern.Lazy(`\\[nr0]`)
)
