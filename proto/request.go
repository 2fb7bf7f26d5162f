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

// Stages of requests over HTTP that are not about a session.
const (
	// StageDiscovery asks an installation where its endpoints are.
	StageDiscovery netdial.Stage = "discovery"
	// StageRequest is a request that the user has asked for: to publish, to list.
	StageRequest netdial.Stage = "request"
)

// maxAnswer is the largest answer to a request of ours that is read, in bytes, if there
// is no reason for more.
const maxAnswer = 1 << 20

// NewRequest makes a request of a stage.
func NewRequest(ctx context.Context, stage netdial.Stage, method, address string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, &HandshakeError{Stage: stage, Address: BareAddress(address), Err: &ProtocolError{netdial.Reason(ctx, err)}}
	}
	return req, nil
}

// Request sends a request and returns the body of an answer with a status below
// 300. Every other end is a *HandshakeError of the stage.
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

// Exchange sends a request and returns the answer, whatever its status, with at most
// limit bytes of its body, or 1 MiB for a limit of 0. Without an answer, it returns a
// *HandshakeError of the stage, or of an earlier one; address is what that shows.
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

// AnswerError is an error for an answer that is no success, without a body.
func AnswerError(stage netdial.Stage, address string, resp *http.Response) *HandshakeError {
	return &HandshakeError{
		Stage: stage, Address: address, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now()),
	}
}

// RequestFailure says what the failure of a request that the user has asked for
// means. Unlike a socket, a REST interface is there when it answers: a status
// that complains about the request is a refusal.
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

// A CredentialError is the failure of a TokenSource that only the user can end:
// there is no login, or the server has ended it.
type CredentialError struct{ Err error }

func (e *CredentialError) Error() string { return e.Err.Error() }
func (e *CredentialError) Unwrap() error { return e.Err }

// readAnswer reads at most limit bytes of the body of an answer to a request; of one
// that is no success, what comes in time.
func readAnswer(resp *http.Response, limit int64) ([]byte, error) {
	if resp.StatusCode >= http.StatusMultipleChoices {
		return wsconn.ReadRefusal(resp.Body, limit), nil
	}
	return io.ReadAll(io.LimitReader(resp.Body, limit))
}
