package output

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hark-cli/hark/internal/jsontext"
	"github.com/hark-cli/hark/proto"
)

// Attributes of events that do not say better themselves.
const (
	plainType   = "io.hark.message"
	plainSource = "hark:stream"
)

// appendCloudEvent appends ev as a CloudEvent (CloudEvents 1.0.2, JSON format,
// section 3), not yet on one line. Each attribute that the event does not have
// gets a value all the same: an id that is unique, the time of receipt.
func (w *Writer) appendCloudEvent(dst []byte, ev *proto.Event) []byte {
	isJSON, _ := jsontext.Scan(ev.Data)
	var d proto.Description
	if w.opts.Describe != nil {
		d = w.opts.Describe(ev.Message)
	}
	if !isJSON {
		d.Data = nil
	}
	dst = append(dst, `{"specversion":"1.0","id":`...)
	if id := attribute(d.ID); id != "" {
		dst = jsontext.AppendString(dst, id)
	} else {
		dst = append(append(dst, '"'), w.opts.Run...)
		dst = strconv.AppendUint(append(dst, '-'), ev.Seq, 10)
		dst = append(dst, '"')
	}
	dst = appendAttribute(dst, "source", uri(d.Source), plainSource)
	dst = appendAttribute(dst, "type", attribute(d.Type), plainType)
	dst = appendAttribute(dst, "subject", attribute(d.Subject), "")
	at := d.Time.UTC()
	if y := at.Year(); d.Time.IsZero() || y < 1 || y > 9999 {
		at = ev.Time.UTC()
	}
	dst = appendTime(dst, "time", at)
	dst = appendTime(dst, "recordedtime", ev.Time.UTC())
	switch {
	case isJSON && d.Data != nil:
		dst = appendJSON(dst, d.Data)
	case isJSON && !deepest(ev.Data):
		dst = appendJSON(dst, ev.Data)
	case ev.Binary:
		dst = append(dst, `,"datacontenttype":"application/octet-stream","data_base64":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, ev.Data), '"')
	default:
		dst = append(dst, `,"datacontenttype":"text/plain","data":`...)
		dst = jsontext.AppendString(dst, ev.Data)
	}
	return append(dst, '}')
}

func appendJSON(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	return append(append(dst, `,"datacontenttype":"application/json","data":`...), data...)
}

// deepest tells whether the JSON in b would be nested too deeply one level down.
func deepest(b []byte) bool {
	if len(b) < 2*jsontext.MaxDepth {
		return false
	}
	ok, _ := jsontext.Scan(append(append([]byte{'['}, b...), ']'))
	return !ok
}

func appendAttribute(dst []byte, name, value, missing string) []byte {
	if value == "" {
		value = missing
	}
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return jsontext.AppendString(dst, value)
}

func appendTime(dst []byte, name string, t time.Time) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	return append(t.AppendFormat(dst, time.RFC3339Nano), '"')
}

// attribute returns s if it may be the value of an attribute, or "" (CloudEvents
// 1.0.2, section "Type System").
func attribute(s string) string {
	if strings.TrimSpace(s) == "" || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || r&0xFFFE == 0xFFFE || 0xFDD0 <= r && r <= 0xFDEF
	}) {
		return ""
	}
	return s
}

// uri returns s if it is a URI reference, or "".
func uri(s string) string {
	if _, err := url.Parse(s); err != nil {
		return ""
	}
	return attribute(s)
}

// isCloudEvent tells whether b is a CloudEvent in the JSON format already.
func isCloudEvent(b []byte) bool {
	const required = 4
	seen, wrong := 0, false
	var data, contentType []byte
	ok := jsontext.Members(b, func(name, value []byte) bool {
		switch string(name) {
		case "specversion":
			seen++
			wrong = string(value) != `"1.0"`
		case "id", "source", "type":
			seen++
			wrong = !isText(value, string(name) == "source")
		case "data", "data_base64":
			wrong = data != nil || string(name) == "data_base64" && !isBase64(value)
			data = value
		case "datacontenttype":
			contentType = value
			fallthrough
		default:
			wrong = !isAttribute(string(name), value)
		}
		return !wrong
	})
	return ok && !wrong && seen == required && fits(data, contentType)
}

// fits tells whether data may have that type: unless it is JSON, it must be a
// string (CloudEvents 1.0.2, JSON format, section 3.1).
func fits(data, contentType []byte) bool {
	s, ok := jsontext.String(contentType)
	if !ok || len(data) == 0 || data[0] == '"' || string(data) == "null" {
		return true
	}
	media, _, _ := mime.ParseMediaType(s)
	_, subtype, _ := strings.Cut(media, "/")
	return subtype == "json" || strings.HasSuffix(subtype, "+json")
}

func isText(value []byte, isURI bool) bool {
	s, ok := jsontext.String(value)
	if isURI {
		return ok && uri(s) != ""
	}
	return ok && attribute(s) != ""
}

func isBase64(value []byte) bool {
	s, ok := jsontext.String(value)
	if !ok {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

// isAttribute tells whether name and value are an optional attribute or an
// extension.
func isAttribute(name string, value []byte) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	s, isString := jsontext.String(value)
	switch name {
	case "":
		return false
	case "subject":
		return isText(value, false)
	case "time":
		_, err := time.Parse(time.RFC3339Nano, s)
		return isString && err == nil
	case "dataschema":
		return isText(value, true)
	case "datacontenttype":
		_, _, err := mime.ParseMediaType(s)
		return isString && err == nil
	}
	if isString || bytes.Equal(value, []byte("true")) || bytes.Equal(value, []byte("false")) {
		return true
	}
	_, err := strconv.ParseInt(string(value), 10, 32)
	return err == nil && value[0] != '+'
}
