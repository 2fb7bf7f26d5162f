package recipe

import (
	"fmt"
	"regexp"
	"slices"
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
}

// hostPattern finds the beginning of an address.
var hostPattern = regexp.MustCompile(`(?i)\b(?:https?|wss?)://[^/?#"'\\\s)]*`)

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
			if e != nil && e.text != `"new"` && e.text != `"resume"` {
				list = append(list, r.reach(e, true))
			}
		}
	}
	return list
}

// reach returns where an expression leads. fromMessage: its input is what the server says.
func (r *Recipe) reach(e *expr, fromMessage bool) Reach {
	where := Reach{Key: e.name, Hosts: hostPattern.FindAllString(e.text, -1), Server: fromMessage || serverUse.MatchString(e.text)}
	for _, m := range paramUse.FindAllStringSubmatch(e.text, -1) {
		i := slices.IndexFunc(r.Params, func(p Param) bool { return p.Name == m[1]+m[2] })
		if i < 0 || slices.Contains(where.Params, r.Params[i].Name) {
			continue
		}
		where.Params = append(where.Params, r.Params[i].Name)
		if s, ok := r.Params[i].Default.(string); ok {
			where.Hosts = append(where.Hosts, hostPattern.FindAllString(s, -1)...)
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
