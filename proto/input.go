package proto

// An input contains the frames that the user sends, one after the other, over all
// connections of a run. A frame that could not be written waits for the next
// connection.
type input struct {
	frames  <-chan Frame // nil after the last one
	ended   func()       // called when all frames have been written; may be nil
	pending *Frame       // received, and not known to be written
	writing bool         // passed to the writer of this connection
	earlier int          // messages sent on earlier connections
}

// open reports whether more frames may follow.
func (in *input) open() bool { return in.frames != nil }

// next returns the channel of frames, or nil while the writer has one.
func (in *input) next() <-chan Frame {
	if in.writing {
		return nil
	}
	if in.pending != nil { // not written on the last connection
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

// write records that a frame was passed to the writer.
func (in *input) write(f Frame) { in.pending, in.writing = &f, true }

// written is called when that frame has been written.
func (in *input) written() { in.pending, in.writing = nil, false }

// disconnected is called when a connection has ended on which that many messages were
// sent. here: its writer has the pending frame, if there is one.
func (in *input) disconnected(messages int, here bool) {
	if here {
		in.writing = false
	}
	in.earlier += messages
}
