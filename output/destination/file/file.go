// Package file delivers records to files, one on each line. A record is acknowledged when
// it is written or, with Options.Sync, when it is on the disk.
package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-cli/hark/output/destination"
)

// Date stands in the path of a daily file for the day on which an event was received,
// UTC.
const Date = "{date}"

// Options are the settings of a destination.
type Options struct {
	// Path is that of the file. Daily says that Date in it is replaced.
	Path  string
	Daily bool
	// Sync acknowledges records when they are on the disk.
	Sync bool
	// Torn is told that the last line of a file was not complete, because a process was
	// killed while it wrote it, and was cut off; nil is told nothing.
	Torn func(path string, bytes int64)
}

// A Destination appends to files.
type Destination struct {
	o    Options
	file *os.File
	path string // of file
	size int64  // of file, after the last complete write; -1 if it is not a regular one
	buf  []byte
}

var _ destination.Destination = (*Destination)(nil)

// New returns a destination. A file that is not daily is opened at once, and the folder of
// a daily one has to be there, so that a path that cannot be written is found before the
// first event. A folder with Date in its name is made when it is needed.
func New(o Options) (*Destination, error) {
	d := &Destination{o: o}
	if o.Daily {
		if !strings.Contains(o.Path, Date) {
			return nil, fmt.Errorf("the path has no %s", Date)
		}
		folder, _, _ := strings.Cut(o.Path, Date)
		if info, err := os.Stat(filepath.Dir(folder + Date)); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, fmt.Errorf("%s is not a folder", filepath.Dir(folder+Date))
		}
		return d, nil
	}
	return d, d.open(o.Path)
}

// InFlight implements destination.Destination: records that come in a burst are written,
// and synced, together.
func (d *Destination) InFlight() int { return 1000 }

// Close implements destination.Destination.
func (d *Destination) Close() error {
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	return err
}

// open opens the file at path instead of the one that is open, and cuts off a last line
// that is not complete.
func (d *Destination) open(path string) error {
	if err := d.Close(); err != nil {
		return err
	}
	if d.o.Daily && strings.Contains(filepath.Dir(d.o.Path), Date) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	_, err := os.Lstat(path)
	created := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if errors.Is(err, fs.ErrPermission) || err != nil && !created {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644) // a FIFO, a terminal
	}
	if err != nil {
		return err
	}
	d.file, d.path, d.size = f, path, -1
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if d.size, err = d.mend(info.Size()); err != nil {
		return err
	}
	if created && d.o.Sync {
		return syncFolder(filepath.Dir(path))
	}
	return nil
}

// mend cuts off what stands behind the last line feed, and returns the size that is left.
func (d *Destination) mend(size int64) (int64, error) {
	const step = 64 << 10
	buf := make([]byte, step)
	for end := size; end > 0; {
		start := max(0, end-step)
		n, err := d.file.ReadAt(buf[:end-start], start)
		if err != nil && (err != io.EOF || int64(n) < end-start) {
			return size, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return d.cut(start+int64(i)+1, size)
		}
		end = start
	}
	return d.cut(0, size)
}

// cut shortens the file to what is complete in it.
func (d *Destination) cut(complete, size int64) (int64, error) {
	if complete == size {
		return size, nil
	}
	if err := d.file.Truncate(complete); err != nil {
		return size, err
	}
	if d.o.Torn != nil {
		d.o.Torn(d.path, size-complete)
	}
	return complete, nil
}

// Deliver implements destination.Destination. Records are written with one write for each
// file.
func (d *Destination) Deliver(_ context.Context, records []destination.Record, results []error) {
	for len(records) > 0 {
		path := d.pathOf(records[0].Received)
		n := 1
		for n < len(records) && d.pathOf(records[n].Received) == path {
			n++
		}
		if written, err := d.write(path, records[:n]); err != nil {
			results[written] = &destination.FatalError{Err: err}
			for i := written + 1; i < len(results); i++ {
				results[i] = destination.ErrNotTried
			}
			return
		}
		records, results = records[n:], results[n:]
	}
}

// pathOf returns the file for what was received at a time.
func (d *Destination) pathOf(received time.Time) string {
	if !d.o.Daily {
		return d.o.Path
	}
	return strings.ReplaceAll(d.o.Path, Date, received.UTC().Format(time.DateOnly))
}

// write appends records to the file at path. With an error, it returns how many of them
// have been written nevertheless, such as those for which a disk had room.
func (d *Destination) write(path string, records []destination.Record) (written int, err error) {
	if d.file == nil || d.path != path {
		if err := d.open(path); err != nil {
			return 0, err
		}
	}
	d.buf = d.buf[:0]
	for _, r := range records {
		d.buf = append(append(d.buf, r.Data...), '\n')
	}
	n, err := d.file.Write(d.buf)
	if err == nil {
		if err = d.synced(); err != nil {
			n = 0
		}
	}
	if err != nil {
		if d.size < 0 { // not a regular file
			return 0, err
		}
		size := 0
		for _, r := range records {
			if size+len(r.Data)+1 > n {
				break
			}
			size += len(r.Data) + 1
			written++
		}
		terr := d.file.Truncate(d.size + int64(size)) // or else the next start cuts it off
		if serr := d.synced(); terr != nil || serr != nil {
			return 0, err
		}
		return written, err
	}
	if d.size >= 0 {
		d.size += int64(n)
	}
	if cap(d.buf) > 1<<20 {
		d.buf = nil
	}
	return len(records), nil
}

// synced has the file on the disk, if records are to be.
func (d *Destination) synced() error {
	if !d.o.Sync || d.size < 0 {
		return nil
	}
	return d.file.Sync()
}
