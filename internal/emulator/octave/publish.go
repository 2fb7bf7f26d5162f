package octave

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hark-cli/hark/proto/octave/wire"
)

// Owns implements emulator.Handler.
func (o *server) Owns(members map[string]json.RawMessage) bool {
	return members["elems"] != nil || members["value"] != nil
}

// Take publishes an event. A missing stream is created; the default is DemoStream.
func (o *server) Take(text []byte) error {
	var m struct {
		wire.Message
		Path     string          `json:"path"`
		StreamID string          `json:"streamId"`
		Elems    json.RawMessage `json:"elems"`
		Hash     *string         `json:"hash"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("octave event: %w", err)
	}
	if m.Value != nil {
		if err := json.Unmarshal(m.Value, &m); err != nil {
			return fmt.Errorf("octave event: %w", err)
		}
	}
	if !bytes.HasPrefix(m.Elems, []byte("{")) {
		return errors.New("octave event: elems is not an object")
	}
	path := cmp.Or(m.Path, DemoStream)
	st := o.store.find("", path)
	if m.Path == "" && m.StreamID != "" {
		if st = o.store.find(m.StreamID, ""); st == nil {
			return fmt.Errorf("octave event: no stream %s", m.StreamID)
		}
	}
	if st == nil {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("octave event: path %q does not begin with /", path)
		}
		// It may have been created concurrently.
		o.store.create(path, "", wire.CapacityDefault)
		st = o.store.find("", path)
	}
	o.store.publish(st, input{elems: m.Elems, hash: m.Hash, origin: byDevice})
	return nil
}
