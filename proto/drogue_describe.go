package proto

import "net/url"

// Describe implements Describer. Events of Drogue Cloud are CloudEvents already and
// need no description; this is for what is none.
func (d *Drogue) Describe(Message) Description {
	return Description{Source: "drogue://" + url.PathEscape(d.Application), Subject: d.Channel}
}
