// Package nats delivers records to JetStream, the part of NATS that stores messages. The
// acknowledgment of a record is that of the stream that has stored it.
package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/hark-cli/hark/output/destination"
)

// Options say where records go, and how.
type Options struct {
	// Servers are the addresses HOST:PORT of the servers of one cluster.
	Servers []string
	// Subject is that of records that have none; "" if all have one.
	Subject string
	// TLS is for connections that are encrypted: those to servers that require it, and all
	// of them if Secure is set. nil means the defaults of crypto/tls.
	TLS    *tls.Config
	Secure bool
	// User and Password, Token, and Credentials, which is the contents of a .creds file,
	// are ways to log in.
	User, Password, Token string
	Credentials           []byte
	// Dial opens connections, nil directly.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// CloudEvents says that records are CloudEvents in JSON format.
	CloudEvents bool
	// Text says that records are text, not JSON.
	Text bool
	// Unordered publishes all records at once that Deliver is given. Otherwise those of one
	// subject follow each other.
	Unordered bool
	// Attempted is told of each attempt, on any goroutine; nil is told nothing.
	Attempted func(destination.Attempt)
	// Timeout limits the time until the connection is open, and that until a record is
	// acknowledged; 0 is 10 seconds.
	Timeout time.Duration
}

// A Destination publishes records. It connects when there is something to deliver.
type Destination struct {
	o       Options
	session *session // nil without a connection
}

var _ destination.Destination = (*Destination)(nil)

// subjectsInFlight is how many records are given to Deliver at once if their subjects vary.
const subjectsInFlight = 64

// New returns a Destination. It does not connect yet.
func New(o Options) (*Destination, error) {
	if o.Subject != "" {
		if err := CheckSubject(o.Subject); err != nil {
			return nil, err
		}
	}
	if o.Credentials != nil {
		_, err := nkeys.ParseDecoratedJWT(o.Credentials)
		if err == nil {
			var pair nkeys.KeyPair
			if pair, err = nkeys.ParseDecoratedNKey(o.Credentials); err == nil {
				pair.Wipe()
			}
		}
		if err != nil { // whose text could have a part of the file
			return nil, errors.New("not the contents of a .creds file: expected a JWT and the seed of an nkey")
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Destination{o: o}, nil
}

// CheckSubject reports why nothing can be published to a subject.
func CheckSubject(subject string) error {
	if subject == "" {
		return errors.New("the event has no subject")
	}
	for token := range strings.SplitSeq(subject, ".") {
		switch {
		case token == "":
			return errors.New("the subject is not valid: one of its tokens is empty")
		case token == "*" || token == ">":
			return errors.New("the subject is not valid: wildcards are for subscriptions")
		case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c == 0x7f }):
			return errors.New("the subject is not valid: it contains a space or a control character")
		}
	}
	if strings.HasPrefix(subject, "$") {
		return errors.New("the subject is not valid: those with $ at the start are the server's")
	}
	return nil
}

// InFlight implements destination.Destination: one for each subject keeps its order.
func (d *Destination) InFlight() int {
	if d.o.Subject == "" {
		return subjectsInFlight
	}
	return 1
}

// Close implements destination.Destination.
func (d *Destination) Close() error {
	d.disconnect()
	return nil
}

// Deliver implements destination.Destination. Records of different subjects are published
// at the same time.
func (d *Destination) Deliver(ctx context.Context, records []destination.Record, results []error) {
	if ctx.Err() != nil {
		d.fill(results, context.Cause(ctx))
		return
	}
	if d.session != nil && !d.session.conn.IsConnected() {
		d.disconnect()
	}
	if d.session == nil {
		s, err := d.connect(ctx)
		if err != nil {
			d.fill(results, err)
			return
		}
		d.session = s
	}
	var all sync.WaitGroup
	for _, list := range d.sequences(records) {
		all.Go(func() {
			for n, i := range list {
				if results[i] = d.attempt(ctx, records[i]); results[i] != nil {
					for _, later := range list[n+1:] {
						results[later] = destination.ErrNotTried
					}
					return
				}
			}
		})
	}
	all.Wait()
}

// fill sets the results when nothing could be tried, because of err.
func (d *Destination) fill(results []error, err error) {
	results[0] = err
	for i := range results[1:] {
		results[i+1] = destination.ErrNotTried
	}
}

// sequences returns the indexes of records that are published one after another.
func (d *Destination) sequences(records []destination.Record) (list [][]int) {
	at := make(map[string]int)
	for i, r := range records {
		subject := d.subject(r)
		n, ok := at[subject]
		if !ok || d.o.Unordered {
			n = len(list)
			at[subject] = n
			list = append(list, nil)
		}
		list[n] = append(list[n], i)
	}
	return list
}

func (d *Destination) subject(r destination.Record) string {
	if r.To != "" {
		return r.To
	}
	return d.o.Subject
}

// attempt publishes a record, and reports on it.
func (d *Destination) attempt(ctx context.Context, r destination.Record) error {
	begun := time.Now()
	result, err := d.publish(ctx, r)
	if d.o.Attempted != nil {
		if err != nil {
			result = err.Error()
		}
		d.o.Attempted(destination.Attempt{Record: r, Result: result, Took: time.Since(begun)})
	}
	return err
}

// publish makes one attempt for one record.
func (d *Destination) publish(ctx context.Context, r destination.Record) (result string, err error) {
	subject := d.subject(r)
	if err := CheckSubject(subject); err != nil {
		return "", &destination.RefusedError{Err: err}
	}
	s := d.session
	limited, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, fmt.Errorf("no acknowledgment within %s", d.o.Timeout))
	defer cancel()
	// A connection that does not answer is not used again. Closing it also ends a write
	// that waits.
	defer context.AfterFunc(limited, s.abort)()
	watched, refuse := context.WithCancelCause(limited)
	defer refuse(nil)
	defer s.watch(subject, refuse)()
	// Another attempt is the Delivery's business, which counts it and may give up.
	ack, err := s.stream.PublishMsg(watched, d.message(subject, r), jetstream.WithRetryAttempts(0))
	cause := context.Cause(watched)
	if cause == nil { // abort may be sooner than the news of why
		cause = context.Cause(limited)
	}
	switch {
	case err == nil && ack.Duplicate:
		return "stream " + ack.Stream + ", which has it already", nil
	case err == nil:
		return "stream " + ack.Stream, nil
	case cause != nil:
		if _, ok := errors.AsType[*destination.RefusedError](cause); ok {
			return "", cause
		}
		if _, ok := errors.AsType[*destination.FatalError](cause); ok {
			return "", cause
		}
		return "", &destination.TransientError{Err: cause}
	}
	return "", judge(subject, err)
}

// message returns what is published for a record (CloudEvents NATS binding 1.0.2, section
// 3: structured mode).
func (d *Destination) message(subject string, r destination.Record) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: r.Data, Header: nats.Header{}}
	switch {
	case d.o.CloudEvents || r.CloudEvent:
		m.Header.Set("Content-Type", "application/cloudevents+json")
	case d.o.Text:
		m.Header.Set("Content-Type", "text/plain; charset=utf-8")
	default:
		m.Header.Set("Content-Type", "application/json")
	}
	if r.ID != "" {
		m.Header.Set(jetstream.MsgIDHeader, headerValue(r.ID))
	}
	return m
}

// headerValue returns an id as the value of a header. The library replaces line breaks and
// removes spaces around it, after which two ids could be one, and the second event would
// be dropped as a repeat.
func headerValue(id string) string {
	control := func(c byte) bool { return c < ' ' || c == 0x7f }
	if strings.TrimSpace(id) == id && !strings.ContainsFunc(id, func(c rune) bool { return c < 0x80 && control(byte(c)) }) {
		return id
	}
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c == '%' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// codeDuplicateInProcess is a code of JetStream for which the library has no name: the first
// copy of a message is still being stored.
const codeDuplicateInProcess jetstream.ErrorCode = 10158

// judge says what the failure of a publication means.
func judge(subject string, err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		err := fmt.Errorf("JetStream: %s (code %d)", api.Description, api.ErrorCode)
		// The attempt after a copy that is still being stored is told whether it was.
		if api.ErrorCode == codeDuplicateInProcess || api.Code == http.StatusTooManyRequests || api.Code/100 == 5 {
			return &destination.TransientError{Err: err}
		}
		return &destination.RefusedError{Err: err}
	}
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return &destination.TransientError{Err: fmt.Errorf("no stream of JetStream takes the subject %q", subject)}
	case errors.Is(err, nats.ErrMaxPayload):
		return &destination.RefusedError{Err: errors.New("the event is larger than the server accepts")}
	case errors.Is(err, nats.ErrBadSubject):
		return &destination.RefusedError{Err: errors.New("the subject is not valid")}
	case errors.Is(err, nats.ErrHeadersNotSupported):
		return &destination.FatalError{Err: errors.New("the server does not support headers: NATS 2.2 or later is required")}
	case errors.Is(err, jetstream.ErrInvalidJSAck):
		return &destination.RefusedError{Err: fmt.Errorf("the answer for the subject %q is not from JetStream", subject)}
	}
	return &destination.TransientError{Err: errors.New("the connection was lost")}
}
