// Package proto is the engine: it connects to a service, keeps the connection alive,
// reconnects, and passes events to a sink, whatever happens to the server or to the
// sink.
//
// A Service describes one kind of event stream. Run starts it and gets the Source of
// that run; each connection attempt begins with a Handshake, and each connection has a
// Session: a codec, which decodes messages and returns effects. A Service is a value, a
// Session has no socket, no clock and no goroutine. Each service has a package below
// this one.
//
//	Source.Handshake ── dial ── reader ─▶ Session.Decode ─▶ events ─▶ [queue] ─▶ Sink
//	      ▲                        │  ▲
//	      │                        │  └ writer ◀ effects of the session, Options.Input, pings
//	      └── reconnect policy ◀───┘
//
// A Trace observes what happens. Play does the same with a recording.
//
// The API is not stable: the package is a part of the program hark.
package proto
