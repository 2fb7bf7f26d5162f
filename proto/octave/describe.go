package octave

import (
	"net/url"
	"strconv"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// Describe implements Describer. The source is the company, the subject the path of the
// stream, or its id if the event has no path; the payload is the whole event object,
// because it contains tags, location and metadata besides elems.
func (o *Service) Describe(m proto.Message) proto.Description {
	d := proto.Description{Source: "octave:", Type: "com.sierrawireless.octave.event"}
	if o.Company != "" {
		d.Source = "octave://" + url.PathEscape(o.Company)
	}
	var resource, path []byte
	eventjson.Members(m.Data, func(name, value []byte) bool {
		switch string(name) {
		case "resource":
			resource = value
		case "value":
			d.Data = value
		}
		return true
	})
	var generated, created time.Time
	eventjson.Members(d.Data, func(name, value []byte) bool {
		switch string(name) {
		case "id":
			d.ID, _ = eventjson.String(value)
		case "path":
			path = value
		case "generatedDate":
			generated = unixMilli(value)
		case "creationDate":
			created = unixMilli(value)
		}
		return true
	})
	if d.Subject, _ = eventjson.String(path); d.Subject == "" {
		d.Subject, _ = eventjson.String(resource)
	}
	if d.Time = generated; generated.IsZero() {
		d.Time = created
	}
	return d
}

// unixMilli parses a Unix time in milliseconds; zero if b is not one.
func unixMilli(b []byte) time.Time {
	ms, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Summary implements proto.Summarizer: the path of the stream, and the elements of the
// event. Devices have no member of their own in the protocol, but often an element.
func (o *Service) Summary(m proto.Message) (s proto.Summary) {
	var resource, value []byte
	eventjson.Members(m.Data, func(name, v []byte) bool {
		switch string(name) {
		case "resource":
			resource = v
		case "value":
			value = v
		}
		return true
	})
	eventjson.Members(value, func(name, v []byte) bool {
		switch string(name) {
		case "path":
			s.What, _ = eventjson.String(v)
		case "elems":
			s.Data = v
		}
		return true
	})
	if s.What == "" {
		s.What, _ = eventjson.String(resource)
	}
	return s
}
