package proto

import "testing"

// A frame is taken when the one before it is written, and one that was not written is
// taken again on the next connection.
func TestInputOrder(t *testing.T) {
	frames := make(chan Frame, 2)
	frames <- Text([]byte("a"))
	frames <- Text([]byte("b"))
	close(frames)
	ended := 0
	in := input{frames: frames, ended: func() { ended++ }}
	next := func(want string) {
		t.Helper()
		f, ok := <-in.next()
		if !ok || string(f.Payload) != want {
			t.Fatalf("next is %q, %t, want %q", f.Payload, ok, want)
		}
		in.write(f)
		if in.next() != nil {
			t.Error("two frames are with the writer")
		}
	}
	next("a")
	in.written()
	next("b")
	in.disconnected(1)
	if in.earlier != 1 || in.pending == nil {
		t.Errorf("%d messages went out, %v is left", in.earlier, in.pending)
	}
	next("b")
	if ended != 0 {
		t.Error("all was written before it was")
	}
	in.written()
	if _, ok := <-in.next(); ok {
		t.Error("there is a third frame")
	}
	in.end()
	if ended != 1 || in.open() || in.next() != nil {
		t.Errorf("the end was reported %d times", ended)
	}
}
