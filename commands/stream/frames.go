package stream

import "github.com/hark-cli/hark/proto"

// A maskedFrames is a sink of frames that leaves out the credentials in them, also those
// that the server has named: what is printed of frames is a recording.
type maskedFrames struct {
	proto.Sink
	mask func([]byte) []byte
}

// Event implements proto.Sink.
func (m *maskedFrames) Event(ev *proto.Event) error {
	masked := *ev
	masked.Data = m.mask(ev.Data)
	return m.Sink.Event(&masked)
}
