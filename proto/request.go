package proto

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/wsconn"
)

// Stages of HTTP requests that do not belong to a session.
const (
	// StageDiscovery asks an installation for its endpoints.
	StageDiscovery netdial.Stage = "discovery"
	// StageRequest is a request by a command of the user, such as publish.
	StageRequest netdial.Stage = "request"
)

// maxAnswer is the default limit of the body of a response, in bytes.
const maxAnswer = 1 << 20

// NewRequest returns a request of a stage.
func NewRequest(ctx context.Context, stage netdial.Stage, method, address string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, &HandshakeError{Stage: stage, Address: BareAddress(address), Err: &ProtocolError{netdial.Reason(ctx, err)}}
	}
	return req, nil
}

// Request sends a request and returns the body of a response with a status below 300.
// All errors are *HandshakeError of the stage.
func Request(client *http.Client, req *http.Request, stage netdial.Stage) ([]byte, error) {
	address := BareAddress(req.URL.String())
	resp, body, err := Exchange(client, req, stage, address, maxAnswer)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		fail := AnswerError(stage, address, resp)
		fail.Body = Excerpt(body)
		return nil, fail
	}
	return body, nil
}

// Exchange sends a request and returns the response, whatever its status, with at most
// limit bytes of its body, or 1 MiB for a limit of 0. Without a response, it returns a
// *HandshakeError of the stage, or of an earlier one, which shows address.
func Exchange(client *http.Client, req *http.Request, stage netdial.Stage, address string, limit int64) (*http.Response, []byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, httpError(req.Context(), stage, address, err)
	}
	defer resp.Body.Close()
	body, err := readAnswer(resp, cmp.Or(limit, maxAnswer))
	if err != nil {
		return nil, nil, httpError(req.Context(), stage, address, err)
	}
	return resp, body, nil
}

// AnswerError returns the error for a response with another status than success,
// without the body.
func AnswerError(stage netdial.Stage, address string, resp *http.Response) *HandshakeError {
	return &HandshakeError{
		Stage: stage, Address: address, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now()),
	}
}

// RequestFailure returns the class of the failure of a request by a command. Unlike for
// a socket, any 4xx status of a REST interface is a refusal.
func RequestFailure(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	class := classify(err, false)
	if is[*CredentialError](err) {
		class = Credentials
	}
	if e, ok := errors.AsType[*HandshakeError](err); ok && class == Unreachable && e.Status >= 400 {
		class = Refused
	}
	return &Failure{Class: class, Err: err}
}

// A CredentialError is a failure of a TokenSource that requires the user: there is no
// login, or the server has ended it.
type CredentialError struct{ Err error }

func (e *CredentialError) Error() string { return e.Err.Error() }
func (e *CredentialError) Unwrap() error { return e.Err }

// readAnswer reads at most limit bytes of the body of a response; if that is not a
// success, only what arrives in time.
func readAnswer(resp *http.Response, limit int64) ([]byte, error) {
	if resp.StatusCode >= http.StatusMultipleChoices {
		return wsconn.ReadRefusal(resp.Body, limit), nil
	}
	return io.ReadAll(io.LimitReader(resp.Body, limit))
}
