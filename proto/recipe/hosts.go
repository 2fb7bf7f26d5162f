package recipe

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Reach is where one part of a recipe can connect to.
type Reach struct {
	// Key is the part: "[connect], url".
	Key string
	// Hosts are those that its expression names, or that the default of a parameter in
	// it names, with the scheme: "wss://gateway.discord.gg".
	Hosts []string
	// Params are parameters that can name another host.
	Params []string
	// Server: what the server has said can name another host.
	Server bool
	// Computed: the expression puts an address together, which may lead elsewhere than to
	// Hosts.
	Computed bool
	// Text is the expression.
	Text string
}

// hostPattern finds the beginning of an address.
var hostPattern = regexp.MustCompile(`(?i)\b(?:https?|wss?)://[^/?#"'\\\s)]*`)

// plain finds an expression that leads to the hosts that it names and to no others: an
// address whose host is complete, or a parameter, with whatever follows.
var plain = regexp.MustCompile(`(?is)^\s*(?:"(?:https?|wss?)://[^/?#"\\\s@]+(?:"\s*$|[/?#])|\$param\.[a-z_][a-z0-9_]*\s*(?:\+|$))`)

// sums reports whether an expression only adds to what it begins with. What is in
// brackets or in a string is an operand, whatever it does.
func sums(text string) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			if i++; i < len(text) && text[i] == '(' {
				return false // an interpolation may have strings of its own
			}
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case depth == 0 && strings.IndexByte("|,;/*-%=<>?#", c) >= 0:
			return false
		}
	}
	return true
}

// bareHost is an address without a path.
var bareHost = regexp.MustCompile(`(?i)^(?:https?|wss?)://[^/?#]*$`)

// paramUse finds a parameter in an expression, serverUse what may come from the server.
var (
	paramUse  = regexp.MustCompile(`\$param\s*\.?\s*(?:\["([^"]+)"\]|([a-zA-Z_][a-zA-Z0-9_]*))`)
	serverUse = regexp.MustCompile(`\$(?:state|cursor)\b`)
)

// Reaches lists where the recipe can connect to, in the order of the attempt.
func (r *Recipe) Reaches() (list []Reach) {
	for _, q := range r.requests {
		list = append(list, r.reach(q.url, false))
	}
	list = append(list, r.reach(r.connect.url, false))
	for i := range r.rules {
		for _, e := range []*expr{r.rules[i].request, r.rules[i].reconnect} {
			if e != nil && e.text != `"new"` && e.text != `"resume"` && e.text != `"overlap"` {
				list = append(list, r.reach(e, true))
			}
		}
	}
	return list
}

// reach returns where an expression leads. fromMessage: its input is what the server says.
func (r *Recipe) reach(e *expr, fromMessage bool) Reach {
	where := Reach{Key: e.name, Text: e.text, Computed: !plain.MatchString(e.text) || !sums(e.text)}
	look := e.text
	if !where.Computed { // what follows the beginning makes no other host of it
		look = plain.FindString(e.text)
	}
	where.Server = fromMessage || serverUse.MatchString(look)
	where.Hosts = hostPattern.FindAllString(look, -1)
	for _, m := range paramUse.FindAllStringSubmatch(look, -1) {
		i := slices.IndexFunc(r.Params, func(p Param) bool { return p.Name == m[1]+m[2] })
		if i < 0 || slices.Contains(where.Params, r.Params[i].Name) {
			continue
		}
		where.Params = append(where.Params, r.Params[i].Name)
		if s, ok := r.Params[i].Default.(string); ok {
			where.Hosts = append(where.Hosts, hostPattern.FindAllString(s, -1)...)
			// What is added to a host without a path can make another host of it.
			where.Computed = where.Computed || bareHost.MatchString(s) && strings.Contains(e.text, "+")
		}
	}
	slices.Sort(where.Hosts)
	where.Hosts = slices.Compact(where.Hosts)
	return where
}

// Sends lists what the recipe sends, one line for each key: "[[on]] 2, send: {…}".
func (r *Recipe) Sends() (list []string) {
	add := func(all ...*expr) {
		for _, e := range all {
			if e != nil {
				list = append(list, fmt.Sprintf("%s: %s", e.name, e.text))
			}
		}
	}
	for _, q := range r.requests {
		add(q.header, q.body)
	}
	add(r.connect.header, r.connect.subprotocol, r.open.send)
	for _, u := range r.rules {
		add(u.send, u.request)
	}
	for _, m := range r.timers {
		add(m.send)
	}
	add(r.confirm, r.closing.send)
	return list
}
