// Package webhook delivers records to a web server, with a POST request for each. It
// acknowledges them with a status of 2xx.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output/destination"
)

// A Destination posts records to a web server.
type Destination struct {
	// URL is the address, which may have credentials in it.
	URL string
	// Client sends the requests. It must not follow redirects: they are refusals.
	Client *http.Client
	// Header goes out with each request.
	Header http.Header
	// Key signs requests as Standard Webhooks have it; nil for no signature.
	Key []byte
	// CloudEvents says that records are CloudEvents in JSON format, which are sent in
	// binary mode (CloudEvents HTTP binding 1.0.2, section 3.1).
	CloudEvents bool
	// OwnID says that the id of a record is the user's: it takes the place of the id that a
	// CloudEvent has in itself.
	OwnID bool
	// Attempted is told of each attempt, on any goroutine; nil is told nothing. The request
	// waits for it.
	Attempted func(destination.Attempt)
	// Timeout limits one request; 0 is no limit.
	Timeout time.Duration
}

var _ destination.Destination = (*Destination)(nil)

// ParseSecret returns the key in a secret of Standard Webhooks, whsec_BASE64.
func ParseSecret(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New("expected whsec_ and base64")
	}
	return key, nil
}

// InFlight implements destination.Destination: one after another keeps the order.
func (*Destination) InFlight() int { return 1 }

// Close implements destination.Destination.
func (d *Destination) Close() error {
	d.Client.CloseIdleConnections()
	return nil
}

// Deliver implements destination.Destination. Several records are sent at the same time.
func (d *Destination) Deliver(ctx context.Context, records []destination.Record, results []error) {
	var all sync.WaitGroup
	for i, r := range records[1:] {
		all.Go(func() { results[i+1] = d.post(ctx, r) })
	}
	results[0] = d.post(ctx, records[0])
	all.Wait()
}

// post makes one attempt for one record.
func (d *Destination) post(ctx context.Context, r destination.Record) error {
	begun := time.Now()
	status, err := d.request(ctx, r)
	if d.Attempted != nil {
		a := destination.Attempt{Record: r, Result: strconv.Itoa(status), Took: time.Since(begun)}
		if status == 0 {
			a.Result = err.Error()
		}
		d.Attempted(a)
	}
	return err
}

// request sends a record. status is that of the answer, 0 if there is none; err is as in
// Deliver.
func (d *Destination) request(ctx context.Context, r destination.Record) (status int, err error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d.Timeout, fmt.Errorf("no answer within %s", d.Timeout))
		defer cancel()
	}
	header := d.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	body := r.Data
	contentType := "application/json"
	switch {
	case d.CloudEvents:
		body, contentType = binaryMode(r.Data, header)
		if d.OwnID && r.ID != "" && header.Get("Ce-Id") != "" {
			header.Set("Ce-Id", printable(r.ID))
		}
	case r.CloudEvent:
		header.Set("Content-Type", destination.StructuredType)
	}
	if header.Get("Content-Type") == "" && contentType != "" {
		header.Set("Content-Type", contentType)
	}
	if d.Key != nil {
		d.sign(header, r.ID, body, time.Now())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return 0, &destination.RefusedError{Err: errors.New("the address is not valid")}
	}
	req.Header = header
	resp, err := d.Client.Do(req)
	if err != nil {
		return 0, &destination.TransientError{Err: reason(ctx, err)}
	}
	defer resp.Body.Close()
	// The connection is used again if its body was read.
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, judge(ctx, resp, err)
}

// judge says what an answer means; err is why its body ended.
func judge(ctx context.Context, resp *http.Response, err error) error {
	status := fmt.Errorf("HTTP status %d", resp.StatusCode)
	switch code := resp.StatusCode; {
	case code/100 == 2 && err != nil:
		if ctx.Err() != nil {
			return &destination.TransientError{Err: fmt.Errorf("%w, but the rest of the answer did not come: %w", status, context.Cause(ctx))}
		}
		return &destination.TransientError{Err: fmt.Errorf("%w, but the answer was cut off", status)}
	case code/100 == 2:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code/100 == 5:
		return &destination.TransientError{Err: status, After: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	case code/100 == 3:
		return &destination.RefusedError{Err: fmt.Errorf("%w: redirects are not followed", status)}
	}
	return &destination.RefusedError{Err: status}
}

// reason says why a request failed, in our words and without the address.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return netdial.Explain(err)
}

// maxRetryAfter is the longest wait that a server may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads the field Retry-After (RFC 9110, section 10.2.3), 0 if it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) { // n is the largest then
		return time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// sign adds the headers of Standard Webhooks
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
// An event without an id gets one that no other delivery has.
func (d *Destination) sign(header http.Header, id string, body []byte, now time.Time) {
	if id == "" {
		id = "msg_" + rand.Text()
	}
	id = printable(id)
	timestamp := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, d.Key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
