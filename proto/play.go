package proto

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/sequence"
)

// A Player is a Service that can decode a recording.
type Player interface {
	Service
	// Offline returns the codec for one recorded connection.
	Offline() Session
}

// An OfflineSource makes the sessions of a recording, for services whose sessions share
// state and judge gaps.
type OfflineSource interface {
	// Offline returns the codec of the next connection.
	Offline() Session
}

// ErrRecordingEnd ends the play of a recording.
var ErrRecordingEnd = errors.New("the recording has ended")

// Play passes the events of a recording to sink, as Run would have done when it was
// recorded, but as fast as sink accepts them and offline. Of the options, it uses Idle,
// by the clock of the recording, Frames and Trace. Play calls sink and Trace from its
// own goroutine. It returns
//
//   - ErrRecordingEnd, also if the recording is truncated, after a warning;
//   - the error of the sink, as it is;
//   - the cause of ctx;
//   - ErrIdle;
//   - a *Failure, if the service had refused a request;
//   - the error of the recording.
func Play(ctx context.Context, svc Player, recording iter.Seq2[FrameRecord, error], sink Sink, o Options) error {
	p := &player{svc: svc, sink: sink, o: &o, ev: Event{Direction: In}}
	p.source, _ = svc.Start().(OfflineSource)
	p.numbers.report, p.numbers.warn = p.report, func(text string) { o.Trace.warning(Warning(text)) }
	err := p.play(ctx, recording)
	p.numbers.end(p.heard, false)
	if ferr := sink.Flush(); ferr != nil {
		return ferr
	}
	return err
}

// A player is one call of Play.
type player struct {
	svc  Player
	sink Sink
	o    *Options

	source  OfflineSource // nil if connections share no state
	session Session       // nil before the first connection
	watcher ControlWatcher
	attempt int
	address string
	ready   bool
	heard   time.Time // when data was last received
	missed  time.Time // since when events may have been missed; zero when that has been reported
	event   time.Time // when the last event was received, or the stream became live
	ev      Event
	events  []Message // of the current message
	numbers numbers
}

func (p *player) play(ctx context.Context, recording iter.Seq2[FrameRecord, error]) error {
	for r, err := range recording {
		switch {
		case errors.Is(err, ErrRecordingCut):
			p.o.Trace.warning(Warning(err.Error() + "; what precedes it was read"))
			return ErrRecordingEnd
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		p.o.Trace.frame(r)
		if p.o.Frames && r.Handshake == nil {
			p.ev.Direction, p.ev.Opcode, p.ev.Secret = r.Direction, r.Opcode, r.Secret
			if err := p.give(r.message()); err != nil {
				return err
			}
		}
		if err := p.record(&r); err != nil {
			return err
		}
	}
	return ErrRecordingEnd
}

// message returns the message of a frame.
func (r *FrameRecord) message() Message {
	return Message{Data: r.Payload, Binary: r.Opcode == frame.OpBinary, Time: r.Time}
}

func (p *player) record(r *FrameRecord) error {
	switch {
	case r.Handshake != nil:
		p.handshake(r.Time, r.Handshake)
		return nil
	case r.Direction == Out:
		return nil
	case p.session == nil: // a recording without handshakes
		p.connected(r.Time, false)
	}
	if p.o.Idle > 0 && r.Time.Sub(p.event) >= p.o.Idle {
		return ErrIdle
	}
	p.heard = r.Time
	switch {
	case r.Secret:
	case r.Opcode == frame.OpClose:
		code, reason := frame.ParseClose(r.Payload)
		err := &CloseError{Code: code, Reason: reason}
		p.report(r.Time, Disconnected{err})
		if w, ok := p.session.(EndWatcher); ok {
			w.Ended(err)
		}
	case r.Opcode.Control():
		if p.watcher != nil {
			p.apply(p.watcher.Control(r.Opcode, r.Time), r.Time)
		}
	default:
		return p.message(r.message())
	}
	return nil
}

// handshake begins a connection if it succeeded.
func (p *player) handshake(now time.Time, h *HandshakeRecord) {
	p.attempt++
	p.address = h.URL
	p.report(now, Connecting{})
	if h.Status != 101 {
		e := &HandshakeError{Stage: netdial.StageUpgrade, Address: h.URL, Status: h.Status, Body: h.Body}
		if h.Status == 0 {
			e.Err = errors.New("no answer")
		}
		p.report(now, Disconnected{e})
		return
	}
	p.connected(now, h.Overlaps)
}

func (p *player) connected(now time.Time, overlaps bool) {
	p.attempt = max(p.attempt, 1)
	if p.source != nil {
		p.session = p.source.Offline()
	} else {
		p.session = p.svc.Offline()
	}
	p.watcher, _ = p.session.(ControlWatcher)
	p.ready, p.event = false, now
	p.report(now, Connected{})
	p.report(now, Live{})
	if !overlaps {
		p.missed = p.heard
		p.numbers.lost(p.missed, nil, now)
	}
	p.apply(p.session.OnOpen(now), now)
	if p.source == nil {
		p.reportGap(now)
	}
}

// reportGap reports that events may have been missed before the connection, once.
func (p *player) reportGap(now time.Time) {
	if p.missed.IsZero() {
		return
	}
	if gap := (Gap{From: p.missed, To: now}); !p.numbers.await(gap, now) {
		p.report(now, gap)
	}
	p.missed = time.Time{}
}

func (p *player) message(m Message) error {
	event, effects, failed := p.session.Decode(m)
	if event && len(effects) == 0 && failed == nil && p.o.Number == nil {
		p.event = m.Time
		return p.giveEvent(m) // nearly all messages
	}
	p.apply(effects, m.Time)
	p.events = p.events[:0]
	if event {
		p.events = append(p.events, m)
	}
	p.events = appendMade(p.events, effects)
	if len(p.events) > 0 {
		p.event = m.Time
	}
	if p.o.Number != nil {
		for _, m := range p.events {
			if n, ok := p.o.Number(m); ok {
				p.numbers.add([]sequence.Number{n}, m.Time)
			}
		}
	}
	for _, m := range p.events {
		if err := p.giveEvent(m); err != nil {
			return err
		}
	}
	if failed == nil {
		return nil
	}
	v := verdictOf(p.svc, failed, true)
	p.report(m.Time, Disconnected{failed})
	if v.Class == Transient || v.Class == Done {
		return nil // the recorded run continued with the next connection, if at all
	}
	return &Failure{Class: v.Class, Connected: true, Err: failed}
}

// appendMade appends the events that a session has made of a message.
func appendMade(list []Message, effects []Effect) []Message {
	for _, effect := range effects {
		if events, ok := effect.(Events); ok {
			list = append(list, events...)
		}
	}
	return list
}

// giveEvent passes an event to the sink, unless that has the frame already.
func (p *player) giveEvent(m Message) error {
	if p.o.Frames {
		return nil
	}
	return p.give(m)
}

// give passes an event or a frame to the sink.
func (p *player) give(m Message) error {
	p.ev.Message = m
	p.ev.Seq++
	return p.sink.Event(&p.ev)
}

// apply reports effects; nothing is sent.
func (p *player) apply(effects []Effect, now time.Time) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Note:
			p.o.Trace.note(e)
		case Answer:
			p.o.Trace.answer(e)
		case Warning:
			p.o.Trace.warning(e)
		case HeartbeatAnswered:
			p.report(now, Heartbeat(e))
		case Numbers:
			if p.o.Number == nil {
				p.numbers.add(e, now)
			}
		case Resumed:
			p.missed = time.Time{}
		case StreamReady:
			if !p.ready {
				p.ready = true
				p.report(now, Ready{})
				p.reportGap(now)
			}
		}
	}
}

func (p *player) report(now time.Time, s State) {
	p.o.Trace.status(Status{Time: now, Service: p.svc.Name(), Attempt: p.attempt, Address: p.address, State: s})
}
