package proto

import (
	"errors"
	"time"
)

// Commands implements Commanded.
func (d *Doshii) Commands() []Command {
	return []Command{{Name: "heartbeat", Help: "send a heartbeat now"}}
}

// Command implements Commander.
func (s *doshiiSession) Command(name string, _ []string, now time.Time) ([]Effect, string, error) {
	if name != "heartbeat" {
		return nil, "", errors.New("unknown command")
	}
	s.beat = now.Add(s.d.Heartbeat)
	return []Effect{Send{s.ping(now)}}, "heartbeat sent", nil
}
