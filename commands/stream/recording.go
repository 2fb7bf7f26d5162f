package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/console"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/prompt"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/frame"
)

// recordingFlags define whether a stream is recorded.
type recordingFlags struct {
	record    string
	noClobber bool
}

func (f *recordingFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "record", Group: program.CatOutput, Value: cmdline.String(&f.record),
			Usage: "record every frame to `FILE`", Detail: ", in both directions, for hark play and hark replay"},
		{Name: "no-clobber", Rare: true, Group: program.CatOutput, Value: cmdline.Bool(&f.noClobber),
			Usage: "do not overwrite the file of --record"},
	}
}

func (f *recordingFlags) check(ctx context.Context, line *cmdline.Line) error {
	if f.record == "-" {
		e := cmdline.FlagErrorf(line.GivenAs("record"), " -: stdout is used for events")
		e.Advice = "name a file"
		return e
	}
	if as := line.TypedAs("no-clobber"); as != "" && f.record == "" {
		return cmdline.FlagErrorf(as, " requires --record")
	}
	return nil
}

// recordLimit is how many bytes may wait to be written before the connection must wait,
// too.
const recordLimit = 16 << 20

// A record with more than recordLarge bytes of payload is encoded and written in pieces
// of about recordPart, to limit memory, and the connection waits for the disk.
const (
	recordLarge = 1 << 20
	recordPart  = 512 << 10
)

// A recorder writes a recording. Its goroutine writes all records added since its last
// write, so the connection need not wait for the disk, and a batch of frames costs one
// write.
type recorder struct {
	path    string
	file    *os.File
	secrets *secret.Redactor
	fail    func(error) // called once, when writing has failed
	done    chan struct{}

	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	inside  bool // within a record
	closed  bool
	err     error
}

// record starts a recording. An existing file is overwritten with a warning, or an
// error with --no-clobber.
func (s *Stream) record(path string, service string, fail func(error)) (*recorder, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 && !s.Flags.noClobber {
		s.Warn("--record: overwriting %s", path)
	}
	return newRecorder(path, s.Flags.noClobber, s.recordingHead(service), &s.Say.Redactor, fail)
}

// newRecorder creates the recording, which only its owner can read; keep means failing
// if the file exists.
func newRecorder(path string, keep bool, head proto.RecordingHead, secrets *secret.Redactor, fail func(error)) (*recorder, error) {
	how := os.O_TRUNC
	if keep {
		how = os.O_EXCL
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|how, 0o600)
	if errors.Is(err, fs.ErrExist) && keep {
		e := cmdline.FlagErrorf("--record", ": %s exists", path)
		e.Advice = "--no-clobber leaves it alone: name another file, or leave --no-clobber out"
		return nil, e
	}
	if err != nil {
		return nil, cmdline.FlagErrorf("--record", ": %v", err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Chmod(0o600); err != nil { // it may have existed
			f.Close()
			return nil, cmdline.FlagErrorf("--record", ": %v", err)
		}
	}
	r := &recorder{path: path, file: f, secrets: secrets, fail: fail, done: make(chan struct{})}
	r.changed.L = &r.mu
	r.buf = proto.AppendHead(nil, head)
	go r.write()
	return r, nil
}

// frame records a frame, without the credentials known so far.
func (r *recorder) frame(f proto.FrameRecord) {
	if f.Direction == proto.Out && f.Opcode == frame.OpText && len(f.Payload) <= prompt.SaidLimit && credential.Contains(string(f.Payload)) {
		f.Payload = []byte(credential.Mask(string(f.Payload), secret.Mask))
	}
	f.Payload = r.secrets.Bytes(f.Payload)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wait(recordLimit) != nil || r.closed {
		return
	}
	n := len(r.buf)
	var rest eventjson.Tail
	if len(f.Payload) > recordLarge {
		r.buf, rest = proto.BeginRecord(r.buf, f)
	} else {
		r.buf = proto.AppendRecord(r.buf, f)
	}
	if f.Handshake != nil {
		r.buf = append(r.buf[:n], r.secrets.Bytes(bytes.Clone(r.buf[n:]))...)
	}
	r.changed.Broadcast()
	r.inside = true
	for !rest.Done() && r.wait(recordPart) == nil {
		r.buf = rest.Append(r.buf, recordPart/8)
		r.changed.Broadcast()
	}
	r.inside = false
	r.changed.Broadcast()
}

// wait waits until no more than limit bytes are to be written, or writing has failed.
// The lock must be held; it is released while waiting.
func (r *recorder) wait(limit int) error {
	for len(r.buf) > limit && r.err == nil {
		r.changed.Wait()
	}
	return r.err
}

// close writes the remaining records, and how the command ended. It returns the error
// of the recording.
func (r *recorder) close(e ending.Ending) error {
	end := proto.RecordingEnd{Time: time.Now(), Reason: e.Condition, ExitCode: e.Code}
	if e.Code != ending.OK {
		end.Error = r.secrets.String(console.Line(e.Text))
	}
	r.mu.Lock()
	for r.inside && r.err == nil {
		r.changed.Wait()
	}
	if r.err == nil {
		r.buf = proto.AppendEnd(r.buf, end)
	}
	r.closed = true
	r.changed.Broadcast()
	r.mu.Unlock()
	<-r.done
	return r.err
}

func (r *recorder) write() {
	defer close(r.done)
	var spare []byte
	var size, whole int64 // of the recording, and of its complete records
	for {
		r.mu.Lock()
		for len(r.buf) == 0 && (!r.closed || r.inside) {
			r.changed.Wait()
		}
		b := r.buf
		r.buf = spare[:0]
		r.changed.Broadcast()
		r.mu.Unlock()
		if len(b) == 0 {
			if err := r.file.Close(); err != nil {
				r.failed(err)
			}
			return
		}
		n, err := r.file.Write(b)
		if end := bytes.LastIndexByte(b[:n], '\n'); end >= 0 {
			whole = size + int64(end) + 1
		}
		size += int64(n)
		if err != nil {
			_ = r.file.Truncate(whole) // not possible for every file
			r.file.Close()
			r.failed(err)
			return
		}
		if spare = b; cap(spare) > 1<<20 {
			spare = nil
		}
	}
}

// failed records why the recording cannot be written.
func (r *recorder) failed(err error) {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	err = fmt.Errorf("writing the recording %s: %w", r.path, err)
	r.mu.Lock()
	r.err, r.buf = err, nil
	r.changed.Broadcast()
	r.mu.Unlock()
	r.fail(err)
}

// A RecordedFailure is the end of a recording of a command that failed.
type RecordedFailure struct{ End *proto.RecordingEnd }

func (e *RecordedFailure) Error() string {
	if e.End.Error == "" {
		return fmt.Sprintf("the recorded command ended with exit code %d", e.End.ExitCode)
	}
	return "recorded: " + e.End.Error
}

// Exit returns the exit code of the recorded command.
func (e *RecordedFailure) Exit() int { return e.End.ExitCode }

// Unwrap makes it the end of a recording, so that unmet conditions take precedence.
func (e *RecordedFailure) Unwrap() error { return proto.ErrRecordingEnd }
