package recipe

import (
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/proto"
)

// A matcher knows what the expressions of a recipe look at in a message, so that no more
// of it is decoded.
type matcher struct {
	// conditions are what those of all rules and the replies to heartbeats look at; nil
	// for all. When merged is true, it is what all expressions look at.
	conditions *eventjson.Selection
	merged     bool
	rules      []ruleNeeds
	unhandled  afterNeeds // for a message that is an event although no rule takes it
}

// ruleNeeds is what a rule looks at when its condition holds.
type ruleNeeds struct {
	nothing  bool                 // it does not look at the message
	needs    *eventjson.Selection // nil for all
	identity bool                 // the event is the message
	note     proto.Effect         // for people, when there is no event
	after    afterNeeds
}

// afterNeeds is what is looked at after an event.
type afterNeeds struct {
	any   bool // there is something to do after an event
	needs *eventjson.Selection
	event bool // $event is used
}

func newMatcher(r *Recipe) *matcher {
	m := &matcher{}
	var conditions []*expr
	for i := range r.rules {
		conditions = append(conditions, r.rules[i].when)
	}
	for i := range r.timers {
		conditions = append(conditions, r.timers[i].reply)
	}
	m.conditions = needsOf(conditions...)
	later := []*expr{r.cursor, r.confirm, r.sequence.value, r.sequence.by}
	after := afterNeeds{needs: needsOf(later...)}
	for _, e := range later {
		after.any = after.any || e != nil
		after.event = after.event || e != nil && e.program != nil && e.program.Uses("event")
	}
	m.unhandled = after
	every, merged := append(conditions, later...), true
	for i := range r.rules {
		u := &r.rules[i]
		n := ruleNeeds{after: after, note: proto.Note("message for " + ruleName(u.when.name))}
		all := []*expr{u.set, u.send, u.await, u.ack, u.request, u.ready, u.fail, u.message, u.reconnect, u.resumed}
		n.identity = u.event != nil && u.event.program != nil && u.event.program.Identity()
		plain := r.connect.unwrap == nil && r.connect.framing.separator == ""
		if !n.identity || !plain {
			all = append(all, u.event)
		}
		if u.event != nil {
			all = append(all, later...)
		}
		n.nothing = programs(all...) == nil
		n.needs = needsOf(all...)
		m.rules = append(m.rules, n)
		every = append(every, all...)
		merged = merged && !(n.identity && plain)
	}
	// To decode a message once is faster than to decode two parts of it, unless there are
	// messages that are passed on as they are.
	if union := needsOf(every...); merged && union != nil {
		m.conditions, m.merged = union, true
	}
	return m
}

// ruleName is the name of a rule in that of one of its keys.
func ruleName(key string) string {
	for i := range key {
		if key[i] == ',' {
			return key[:i]
		}
	}
	return key
}

// programs are the expressions that look at anything.
func programs(all ...*expr) (list []*jq.Program) {
	for _, e := range all {
		if e != nil && e.program != nil {
			list = append(list, e.program)
		}
	}
	return list
}

func needsOf(all ...*expr) *eventjson.Selection { return jq.NeedsOf(programs(all...)...) }
