package help

import "github.com/hark-cli/hark/internal/cmdline"

// foreignFlags are flags of other tools, and their equivalents in hark.
func foreignFlags() map[string]foreignFlag {
	limits := foreignFlag{[]string{"max-time"}, "--max-time (-m) limits the whole run, --connect-timeout an attempt to connect, --idle the wait for an event"}
	count := foreignFlag{[]string{"count"}, "-n (--count) exits after that many events"}
	filter := foreignFlag{[]string{"jq"}, "--jq 'select(CONDITION)' prints the events for which a condition is true"}
	send := foreignFlag{[]string{"send"}, "--send TEXT sends a message"}
	quiet := foreignFlag{[]string{"quiet"}, "-q (--quiet) prints no warnings"}
	return map[string]foreignFlag{
		"timeout": limits, "max-wait": limits, "wait-time": limits, "duration": limits,
		"limit": count, "c": count, "max-messages": count, "max-events": count, "num": count, "lines": count, "take": count, "one-message": count,
		"filter": filter, "select": filter, "grep": filter, "query": filter,
		"data": send, "message": send, "msg": send,
		"silent": quiet, "no-warnings": quiet,
		"user-agent": {[]string{"header"}, "-H 'User-Agent: NAME' sets the header"},
		"cookie":     {[]string{"header"}, "-H 'Cookie: NAME=VALUE' sets the header"},
		"bearer":     {[]string{"header"}, "-H 'Authorization: Bearer TOKEN' sets the header"},
		"output":     {[]string{"jq"}, "events go to stdout: '> FILE' writes them to a file, --record FILE records the connection"},
		"json":       {[]string{"jq"}, "each event is a line of JSON as it is; --jq shapes it"},
		"follow":     {[]string{"count"}, "hark follows until something ends it: -n, --max-time, --idle"},
	}
}

// A foreignFlag is the equivalent of a flag of another tool.
type foreignFlag struct {
	ours   []string // flags that the command must have
	advice string
}

// ForeignAdvice returns the equivalent for n of a flag of another tool; "" if unknown.
func ForeignAdvice(n *cmdline.Command, name string) string {
	f, ok := foreignFlags()[name]
	if !ok {
		return ""
	}
	for _, flag := range f.ours {
		if opt, _ := n.Lookup(flag); opt == nil {
			return ""
		}
	}
	return f.advice
}
