package drogue

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"

	"github.com/hark-cli/hark/proto/drogue/wire"
)

// Owns implements emulator.Handler.
func (d *server) Owns(members map[string]json.RawMessage) bool {
	return members["emit"] == nil && (members["specversion"] != nil || members["data"] != nil || members["data_base64"] != nil)
}

// Take publishes an event, with its id; the default application is DemoApplication.
func (d *server) Take(text []byte) error {
	var e wire.Event
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("drogue event: %w", err)
	}
	name := cmp.Or(e.Extension(wire.Application), DemoApplication)
	app := d.apps[name]
	if app == nil {
		return fmt.Errorf("drogue event: no application %q", name)
	}
	device := cmp.Or(e.Extension(wire.Device), e.Extension(wire.Sender), "demo-device")
	in := input{
		kind: cmp.Or(e.Type, wire.TypeEvent), id: e.ID, channel: e.Subject, device: device,
		sender: cmp.Or(e.Extension(wire.Sender), device), contentType: e.DataContentType, dataSchema: e.DataSchema,
	}
	own := map[string]bool{
		wire.Application: true, wire.ApplicationUID: true, wire.Device: true, wire.DeviceUID: true,
		wire.Sender: true, wire.SenderUID: true, wire.Instance: true, wire.PartitionKey: true,
	}
	for _, x := range e.Extensions {
		if !own[x.Name] {
			in.extensions = append(in.extensions, x)
		}
	}
	if err := in.setData(e); err != nil {
		return err
	}
	d.publish(app, in)
	return nil
}

// setData converts the payload of an event to that of a device.
func (in *input) setData(e wire.Event) (err error) {
	media, _, _ := mime.ParseMediaType(e.DataContentType)
	switch text := ""; {
	case e.DataBase64 != nil:
		if in.payload, err = base64.StdEncoding.DecodeString(*e.DataBase64); err != nil {
			return fmt.Errorf("drogue event: data_base64: %w", err)
		}
	case e.Data == nil:
	case media == "" || isJSONType(media):
		in.payload, in.contentType = e.Data, cmp.Or(in.contentType, "application/json")
	case json.Unmarshal(e.Data, &text) == nil:
		in.payload = []byte(text)
	default:
		return fmt.Errorf("drogue event: data is not a string although it is %s", media)
	}
	return nil
}
