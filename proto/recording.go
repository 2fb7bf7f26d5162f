package proto

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto/frame"
)

// A recording contains the traffic of connections, one JSON object per line: a head,
// then a record for each handshake, message and control frame in both directions.
//
//	{"format":"hark-tape","version":1,"time":"…","service":"drogue"}
//	{"time":"…","dir":"out","op":"handshake","request":{"url":"…","header":{…}},"response":{"status":101,"header":{…}}}
//	{"time":"…","dir":"in","op":"text","size":7,"json":{"a":1}}
//	{"time":"…","dir":"in","op":"text","text":"…"}
//	{"time":"…","dir":"in","op":"binary","base64":"…"}
//	{"time":"…","dir":"out","op":"text","withheld":true}
//	{"time":"…","dir":"in","op":"close","code":1000,"reason":"bye"}
//	{"time":"…","op":"end","exit_code":8,"error":"…"}
//
// Times are those of RFC 3339 with nanoseconds. A message that is a JSON object or array
// on one line is in json, byte for byte, after its size in bytes: most messages are, and
// so need no quoting. Any other payload that is UTF-8 is in text, and the rest in base64.
// A recording without a head, such as the output of --format frames, which has no json,
// can be read too. A handshake begins a connection.
const (
	recordingFormat  = "hark-tape"
	recordingVersion = 1
)

// A RecordingHead is the first line of a recording.
type RecordingHead struct {
	Time    time.Time
	Service string // the name of the service; empty when the recording has no head
	// Source and Run reproduce the sources and ids of CloudEvents: the source of the
	// service, and the prefix of the numbers of events.
	Source, Run string
	// Recipe is the text of the recipe that the service is made of, and Params its
	// parameters, a JSON object without credentials. Both are empty for a service of
	// another kind.
	Recipe string
	Params json.RawMessage
}

// A RecordingEnd is the last line of a recording: how the recorded command ended.
type RecordingEnd struct {
	Time     time.Time
	ExitCode int
	// Reason is the condition that ended it, or empty; Error is its message.
	Reason, Error string
}

// A HandshakeRecord is one opening handshake. The request is without credentials.
type HandshakeRecord struct {
	URL    string
	Header http.Header
	// Status of the response, 0 if there was none; then the rest is empty.
	Status         int
	ResponseHeader http.Header
	// Body is the start of the body of a response that is not an upgrade.
	Body string
	// Overlaps: it is that of a Successor, while the connection before it was in use.
	Overlaps bool
}

// recordingLine is any line of a recording.
type recordingLine struct {
	Format  string `json:"format,omitempty"`
	Version int    `json:"version,omitempty"`

	Time    time.Time `json:"time,omitzero"`
	Service string    `json:"service,omitempty"`
	Source  string    `json:"source,omitempty"`
	Run     string    `json:"run,omitempty"`

	Recipe string          `json:"recipe,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`

	Dir      string             `json:"dir,omitempty"`
	Op       string             `json:"op,omitempty"`
	JSON     json.RawMessage    `json:"json,omitempty"` // size is read by textRecord alone
	Text     *string            `json:"text,omitempty"`
	Base64   *[]byte            `json:"base64,omitempty"`
	Code     int                `json:"code,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	Withheld bool               `json:"withheld,omitempty"`
	Request  *recordingRequest  `json:"request,omitempty"`
	Response *recordingResponse `json:"response,omitempty"`
	ExitCode *int               `json:"exit_code,omitempty"`
	EndedBy  string             `json:"ended_by,omitempty"`
	Error    string             `json:"error,omitempty"`
}

type recordingRequest struct {
	URL      string      `json:"url"`
	Header   http.Header `json:"header,omitempty"`
	Overlaps bool        `json:"overlaps,omitempty"`
}

type recordingResponse struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   string      `json:"body,omitempty"`
}

// opHandshake and opEnd are the ops of records that are not frames.
const (
	opHandshake = "handshake"
	opEnd       = "end"
)

// recordingOps are the opcodes of a recording.
var recordingOps = []frame.Opcode{frame.OpText, frame.OpBinary, frame.OpPing, frame.OpPong, frame.OpClose}

// AppendHead appends the first line of a recording to dst, its line break included.
func AppendHead(dst []byte, h RecordingHead) []byte {
	return appendLine(dst, recordingLine{Format: recordingFormat, Version: recordingVersion, Time: h.Time.UTC(), Service: h.Service, Source: h.Source, Run: h.Run, Recipe: h.Recipe, Params: h.Params})
}

// AppendEnd appends the last line of a recording to dst, its line break included.
func AppendEnd(dst []byte, e RecordingEnd) []byte {
	return appendLine(dst, recordingLine{Time: e.Time.UTC(), Op: opEnd, ExitCode: &e.ExitCode, EndedBy: e.Reason, Error: e.Error})
}

// AppendRecord appends r to dst as one line of a recording, its line break included.
// The payload of a secret frame is left out.
func AppendRecord(dst []byte, r FrameRecord) []byte {
	dst, rest := BeginRecord(dst, r)
	return rest.AppendAll(dst)
}

// BeginRecord is AppendRecord for records that may be long: of a long record it appends
// the start, and rest produces what follows. rest refers to the payload.
func BeginRecord(dst []byte, r FrameRecord) (start []byte, rest eventjson.Tail) {
	if r.Handshake != nil || r.Secret || r.Opcode.Control() || !isDocument(r.Payload) {
		return BeginFrame(dst, r)
	}
	dst = appendFrameStart(dst, r)
	dst = append(dst, `","size":`...)
	dst = strconv.AppendInt(dst, int64(len(r.Payload)), 10)
	dst = append(dst, `,"json":`...)
	return eventjson.Tail{Data: r.Payload, Form: eventjson.Verbatim, End: "}\n"}.Finish(dst)
}

// BeginFrame is BeginRecord in the form of --format frames, where a payload that is UTF-8
// is always in text, so that a filter need not look in two places.
func BeginFrame(dst []byte, r FrameRecord) (start []byte, rest eventjson.Tail) {
	if r.Handshake != nil {
		return appendHandshake(dst, r), rest
	}
	dst = appendFrameStart(dst, r)
	switch {
	case r.Secret:
		dst = append(dst, `","withheld":true`...)
	case r.Opcode == frame.OpClose:
		code, reason := frame.ParseClose(r.Payload)
		dst = append(dst, `","code":`...)
		dst = strconv.AppendInt(dst, int64(code), 10)
		if reason != "" {
			dst = append(dst, `,"reason":`...)
			dst = eventjson.AppendString(dst, reason)
		}
	case utf8.Valid(r.Payload):
		dst = append(dst, `","text":"`...)
		return eventjson.Tail{Data: r.Payload, Form: eventjson.Quoted, End: "\"}\n"}.Finish(dst)
	default:
		dst = append(dst, `","base64":"`...)
		return eventjson.Tail{Data: r.Payload, Form: eventjson.Base64, End: "\"}\n"}.Finish(dst)
	}
	return append(dst, "}\n"...), rest
}

// appendFrameStart appends the members that all frames have, but for the quote at the end.
func appendFrameStart(dst []byte, r FrameRecord) []byte {
	dst = append(dst, `{"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","dir":"`...)
	dst = append(dst, r.Direction.String()...)
	dst = append(dst, `","op":"`...)
	return append(dst, r.Opcode.String()...)
}

// isDocument reports whether b is a JSON object or array that can be a member of a record
// as it is: with nothing around it, no line breaks in it, and nested no deeper than a
// record may be.
func isDocument(b []byte) bool {
	return isBracketed(b) && bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 && eventjson.ValidAt(b, 1)
}

// isBracketed reports whether b begins and ends as a JSON object or array does.
func isBracketed(b []byte) bool {
	last := len(b) - 1
	return last > 0 && (b[0] == '{' && b[last] == '}' || b[0] == '[' && b[last] == ']')
}

func appendHandshake(dst []byte, r FrameRecord) []byte {
	h := r.Handshake
	l := recordingLine{
		Time: r.Time.UTC(), Dir: r.Direction.String(), Op: opHandshake,
		Request: &recordingRequest{h.URL, h.Header, h.Overlaps},
	}
	if h.Status != 0 {
		l.Response = &recordingResponse{h.Status, h.ResponseHeader, h.Body}
	}
	return appendLine(dst, l)
}

func appendLine(dst []byte, l recordingLine) []byte {
	w := bytes.NewBuffer(dst)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		panic(err) // only strings and numbers, which always have an encoding
	}
	return w.Bytes()
}
