// Package simulate runs a service against a transcript: without a network, and in
// simulated time. It does what the engine does with a service, as far as a transcript can
// say it: it opens sockets, passes messages and time on, judges failures, reconnects, and
// reports gaps. What belongs to a real network (pings, back-off, a slow sink) is not
// there: the wait before another attempt is a second, and attempts are not counted.
//
// What the client says to the server must be what the transcript lists, and so must be
// what it makes of the stream, each in its order. Which of the two comes first is not
// looked at, but both have happened before the next thing that the server or time does.
package simulate
