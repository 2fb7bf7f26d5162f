package drogue

import (
	"errors"
	"time"

	"github.com/hark-cli/hark/proto"
)

// Commands implements Commanded.
func (d *Service) Commands() []proto.Command {
	return []proto.Command{{Name: "refresh", Help: "get a new token and send it on this connection"}}
}

// Command implements Commander.
func (s *session) Command(name string, _ []string, now time.Time) ([]proto.Effect, string, error) {
	switch {
	case name != "refresh":
		return nil, "", errors.New("unknown command")
	case !s.limited:
		return nil, "", errors.New("this connection has no token that expires")
	case !s.d.Renewable:
		return nil, "", errors.New("no way to obtain a new token: give it with --token cmd:COMMAND or --token file:PATH")
	}
	s.ask = now // Tick does the rest
	return nil, "asking for a new token", nil
}
