package drogue

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/proto/drogue/wire"
)

// An input is what a device, or the system, sends to an application.
type input struct {
	kind           string // one of the wire.DrogueType… values
	id             string // "" for a new one
	channel        string
	device, sender string
	contentType    string // "" if the device sends none
	dataSchema     string
	payload        []byte
	extensions     []wire.Extension
}

// maker generates inputs, and converts inputs to events.
type maker struct {
	mu   sync.Mutex
	rand *rand.Rand
	made int // inputs, by next
}

func newMaker(r *rand.Rand) *maker { return &maker{rand: r} }

// next generates an input: in turn all observations as JSON, texts and bytes, through a
// gateway too, and sometimes an event of the system.
func (m *maker) next() input {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.made
	m.made++
	devices := []struct{ device, sender string }{
		{"pump-01", "pump-01"}, {"pump-02", "pump-02"}, {"tank-01", "gw-1"}, {"sensor7", "gw-1"},
	}
	d := devices[n%len(devices)]
	in := input{kind: wire.TypeEvent, device: d.device, sender: d.sender}
	names := emulator.Observations()
	switch turn := n % (len(names) + 7); turn - len(names) {
	case 0:
		in.channel, in.contentType, in.payload = "log", "text/plain; charset=utf-8", []byte("valve <open> & läuft")
	case 1:
		in.channel, in.contentType, in.payload = "log", "text/plain", []byte{'o', 'k', 0xFF, 0xFE}
	case 2:
		in.channel, in.contentType, in.payload = "btmesh", "application/octet-stream", []byte{1, 2, 255, byte(m.rand.IntN(256))}
		in.extensions = []wire.Extension{{Name: "hwaddr", Value: "AA:BB:CC:00:11:22"}, {Name: "lorawanport", Value: "1"}}
	case 3:
		in.channel, in.payload = "telemetry", nil
	case 4:
		in.channel, in.payload = "counter", fmt.Append(nil, m.rand.IntN(1000))
	case 5:
		in.kind, in.channel, in.contentType = wire.TypeConnection, "connection", "application/json"
		in.sender = in.device
		in.payload = emulator.MustJSON(map[string]bool{"connected": m.rand.IntN(2) == 1})
	case 6:
		in.kind, in.channel, in.contentType = wire.TypeRegistry, "devices", "application/octet-stream"
	default:
		in.channel, in.contentType = names[turn], "application/json"
		in.payload = emulator.MustJSON(emulator.Observe(m.rand, names[turn]))
		if turn%3 == 1 {
			in.contentType = "application/senml+json" // rewritten when it is sent
		}
		in.dataSchema = map[string]string{"environment": "https://example.com/schemas/environment.json"}[names[turn]]
	}
	return in
}

// event returns the CloudEvent of an input and the key of its partition, with the
// attributes of drogue-cloud, endpoint-common/src/sender/mod.rs, and the payload of
// event-common/src/stream/mod.rs.
func (m *maker) event(a *application, in input, now time.Time) (wire.Event, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := percentEncode(a.name) + "/" + percentEncode(in.sender)
	e := wire.Event{
		SpecVersion: "1.0",
		ID:          cmp.Or(in.id, emulator.RandomUUID(m.rand)),
		Type:        in.kind,
		Source:      "drogue://" + a.name + "/" + percentEncode(in.device),
		DataSchema:  in.dataSchema,
		Subject:     in.channel,
		Time:        now.UTC().Format("2006-01-02T15:04:05.000000000Z"),
		Extensions: append([]wire.Extension{
			{Name: wire.Application, Value: a.name},
			{Name: wire.ApplicationUID, Value: a.uid},
			{Name: wire.Device, Value: in.device},
			{Name: wire.DeviceUID, Value: userID("device/" + in.device)},
			{Name: wire.Sender, Value: in.sender},
			{Name: wire.SenderUID, Value: userID("device/" + in.sender)},
			{Name: wire.Instance, Value: "drogue"},
			{Name: wire.PartitionKey, Value: key},
		}, in.extensions...),
	}
	setData(&e, in.contentType, in.payload)
	m.rand.Shuffle(len(e.Extensions), func(i, j int) {
		e.Extensions[i], e.Extensions[j] = e.Extensions[j], e.Extensions[i]
	})
	return e, key
}

// setData sets content type and payload.
func setData(e *wire.Event, contentType string, payload []byte) {
	e.DataContentType = contentType
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case contentType == "" && len(payload) > 0 && json.Valid(payload), isJSONType(media):
		e.DataContentType, e.Data = "application/json", compactJSON(payload)
	case media == "text/plain" && utf8.Valid(payload):
		e.Data = emulator.MustJSON(string(payload))
	default:
		if contentType == "" {
			e.DataContentType = "application/octet-stream"
		}
		text := base64.StdEncoding.EncodeToString(payload)
		e.DataBase64 = &text
	}
}

// isJSONType reports whether the server treats a payload of this media type as JSON.
func isJSONType(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

// percentEncode encodes every byte that is neither a letter nor a digit.
func percentEncode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
