package doshii

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hark-cli/hark/proto/doshii/wire"
)

// Owns implements emulator.Handler.
func (d *server) Owns(members map[string]json.RawMessage) bool { return members["emit"] != nil }

// Take publishes an event, by default of DemoLocation; "pos":true alongside emit sends
// it to points of sale instead of apps.
func (d *server) Take(text []byte) error {
	var m struct {
		wire.Message
		POS bool `json:"pos"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("doshii event: %w", err)
	}
	name, ok := m.Emit.Name()
	if !ok {
		return errors.New("doshii event: emit is not [name, payload]")
	}
	e := event{name: name, payload: m.Emit.Payload(), location: DemoLocation, pos: m.POS}
	var where struct {
		Location string `json:"locationId"`
		Terminal string `json:"posTerminalId"`
	}
	// A payload that is not an object has no location.
	_ = json.Unmarshal(e.payload, &where)
	e.location, e.terminal = cmp.Or(where.Location, DemoLocation), where.Terminal
	d.publish(e)
	return nil
}
