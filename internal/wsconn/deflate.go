package wsconn

import "compress/flate"

// compressFrom is the minimum size of messages that are compressed, in bytes.
const compressFrom = 128

// deflateTail is the end of the output of flate.Writer.Flush, and is not sent (RFC
// 7692, section 7.2.1).
const deflateTail = "\x00\x00\xff\xff"

// A compressor compresses one message after the other.
type compressor struct {
	forget bool // each message by itself: client_no_context_takeover
	deflater
}

type deflater struct {
	flate *flate.Writer
	out   []byte
	taken []byte
}

// Write implements io.Writer for the flate.Writer.
func (z *deflater) Write(p []byte) (int, error) {
	z.out = append(z.out, p...)
	return len(p), nil
}

func (z *compressor) begin() {
	switch {
	case z.flate == nil:
		z.flate, _ = flate.NewWriter(&z.deflater, flate.BestSpeed) // a valid level
	case z.forget:
		z.flate.Reset(&z.deflater)
	}
}

func (z *compressor) write(p []byte) error {
	_, err := z.flate.Write(p)
	return err
}

func (z *compressor) finish() error {
	if err := z.flate.Flush(); err != nil {
		return err
	}
	z.out = z.out[:len(z.out)-len(deflateTail)]
	return nil
}

// take removes and returns the first n bytes of compressed data. They are valid until
// the next call.
func (z *compressor) take(n int) []byte {
	z.taken = append(z.taken[:0], z.out[:n]...)
	z.out = z.out[:copy(z.out, z.out[n:])]
	return z.taken
}
