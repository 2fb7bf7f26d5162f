// Package proto is the engine: it connects to a service, keeps the connection alive and
// makes it anew, and gives events to a sink, whatever becomes of either side meanwhile.
//
// A Service is how to reach one kind of event stream. Run starts it, which gives the
// Source of that run; each attempt to connect begins with a Handshake, and each
// connection has a Session: a codec, which looks at messages and says what is to be done.
// A Service is a value, a Session has no socket, no clock and no goroutine. The services
// are in packages of their own, below this one.
//
//	Source.Handshake ── dial ── reader ─▶ Session.Decode ─▶ events ─▶ [queue] ─▶ Sink
//	      ▲                        │  ▲
//	      │                        │  └ writer ◀ effects of the session, Options.Input, pings
//	      └── reconnect policy ◀───┘
//
// What happens meanwhile is reported to a Trace. Play does the same with a recording.
//
// Nothing here promises to stay compatible: hark is a program, and this is a part of it.
package proto
