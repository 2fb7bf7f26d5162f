package proto

import "time"

// A Step is what a session has said of a message, in a form that a table can hold.
type Step struct {
	Event                           bool
	Live, Ready, Filling, Heartbeat bool
	RTT                             time.Duration
	Send                            []Frame
	Note, Answer, Warning           string
	Secrets                         []string
	Inject                          []Message
	Gaps                            []GapReport
}

// stepOf makes a Step of effects.
func stepOf(effects []Effect) (s Step) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Send:
			s.Send = append(s.Send, e...)
		case Secrets:
			s.Secrets = append(s.Secrets, e...)
		case StreamLive:
			s.Live = true
		case StreamReady:
			s.Ready, s.Filling = true, e.Filling
		case HeartbeatAnswered:
			s.Heartbeat, s.RTT = true, e.RTT
		case GapReports:
			s.Gaps = append(s.Gaps, e...)
		case Inject:
			s.Inject = append(s.Inject, e...)
		case Note:
			s.Note += string(e)
		case Answer:
			s.Answer += string(e)
		case Warning:
			s.Warning += string(e)
		}
	}
	return s
}

// decode has a session look at a message.
func decode(s Session, m Message) (Step, error) {
	event, effects, err := s.Decode(m)
	step := stepOf(effects)
	step.Event = event
	return step, err
}

// framesOf are the frames that effects send.
func framesOf(effects []Effect) []Frame { return stepOf(effects).Send }
