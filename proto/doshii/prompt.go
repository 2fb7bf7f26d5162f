package doshii

import (
	"errors"
	"time"

	"github.com/hark-cli/hark/proto"
)

// Commands implements Commanded.
func (d *Service) Commands() []proto.Command {
	return []proto.Command{{Name: "heartbeat", Help: "send a heartbeat now"}}
}

// Command implements Commander.
func (s *session) Command(name string, _ []string, now time.Time) ([]proto.Effect, string, error) {
	if name != "heartbeat" {
		return nil, "", errors.New("unknown command")
	}
	s.beat = now.Add(s.d.Heartbeat)
	return []proto.Effect{proto.Send{s.ping(now)}}, "heartbeat sent", nil
}
