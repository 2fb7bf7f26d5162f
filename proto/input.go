package proto

// An input is what the user sends, one frame after the other, over all connections of a
// run. A frame that could not be written waits for the next connection.
type input struct {
	frames  <-chan Frame // nil when no more is to come
	ended   func()       // is called when all has been written; nil for nobody
	pending *Frame       // has been taken, and is not known to be written
	writing bool         // the writer of this connection has it
	earlier int          // messages that went out on connections that have ended
}

// open reports whether more may come.
func (in *input) open() bool { return in.frames != nil }

// next is where the next frame comes from, or nil while the writer has one.
func (in *input) next() <-chan Frame {
	if in.writing {
		return nil
	}
	if in.pending != nil { // left over from the last connection
		c := make(chan Frame, 1)
		c <- *in.pending
		return c
	}
	return in.frames
}

// end is called when next is closed.
func (in *input) end() {
	in.frames = nil
	if in.ended != nil {
		in.ended()
	}
}

// write takes note that a frame is given to the writer.
func (in *input) write(f Frame) { in.pending, in.writing = &f, true }

// written is called when that has been written.
func (in *input) written() { in.pending, in.writing = nil, false }

// disconnected is called when a connection has ended on which so many messages went out.
func (in *input) disconnected(messages int) {
	in.writing = false
	in.earlier += messages
}
