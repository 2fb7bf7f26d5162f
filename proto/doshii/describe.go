package doshii

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/doshii/wire"
)

// sourceName matches the names of events.
var sourceName = regexp.MustCompile(`^[a-z0-9_.-]+$`)

// typePrefix stands in front of the name of an event in its type.
const typePrefix = "co.doshii."

// Describe implements Describer. The source is the address of the socket, the type the
// name of the event, the subject the id of its payload. Events of Doshii have no id and
// no time.
func (d *Service) Describe(m proto.Message) proto.Description {
	var out proto.Description
	if base, err := proto.SocketURL(d.Endpoint); err == nil {
		out.Source = proto.BareAddress(base + d.Path)
	}
	var msg wire.Message
	if json.Unmarshal(m.Data, &msg) != nil {
		return out
	}
	name, ok := msg.Emit.Name()
	data := msg.Emit.Payload()
	switch {
	case ok && len(msg.Emit) > 2: // so that nothing is lost
		data = m.Data
	case !ok && msg.Event != "": // the two forms of the help pages
		name, data = msg.Event, msg.Data
	case !ok:
		name, data = msg.Type, msg.Data
	}
	if !sourceName.MatchString(name) {
		return out
	}
	out.Type = typePrefix + name
	if out.Data = data; data == nil {
		out.Data = []byte{}
	}
	eventjson.Members(data, func(name, value []byte) bool {
		if string(name) != "id" {
			return true
		}
		out.Subject, ok = eventjson.String(value)
		if !ok && len(value) > 0 && (value[0] == '-' || '0' <= value[0] && value[0] <= '9') {
			out.Subject = string(value)
		}
		return false
	})
	return out
}

// Summary implements proto.Summarizer: the name of the event, the id of its payload, and
// the payload.
func (d *Service) Summary(m proto.Message) proto.Summary {
	e := d.Describe(m)
	return proto.Summary{What: strings.TrimPrefix(e.Type, typePrefix), Data: e.Data}
}
