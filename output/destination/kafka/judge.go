package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/output/destination"
)

// refusals are about a record or its topic: another attempt has the same answer.
var refusals = map[int16]string{
	kerr.MessageTooLarge.Code:             "the record is too large for the topic",
	kerr.RecordListTooLarge.Code:          "the record is too large for the topic",
	kerr.InvalidRecord.Code:               "the broker refuses the record",
	kerr.InvalidTimestamp.Code:            "the broker refuses the time of the record",
	kerr.PolicyViolation.Code:             "a policy of the broker refuses the record",
	kerr.InvalidTopicException.Code:       "the name of the topic is not valid",
	kerr.UnknownTopicOrPartition.Code:     "no such topic",
	kerr.UnknownTopicID.Code:              "no such topic",
	kerr.TopicAuthorizationFailed.Code:    "not authorized to write to the topic",
	kerr.UnsupportedForMessageFormat.Code: "the topic does not take the record",
}

// fatal are about all records.
var fatal = map[int16]string{
	kerr.SaslAuthenticationFailed.Code:   "authentication failed",
	kerr.UnsupportedSaslMechanism.Code:   "the broker does not support the SASL mechanism",
	kerr.IllegalSaslState.Code:           "the broker expects another SASL mechanism, or none",
	kerr.ClusterAuthorizationFailed.Code: "not authorized to write to the cluster",
	kerr.UnsupportedVersion.Code:         "the version of the broker is not supported",
}

// judge says what an error of the library means to a Delivery. What a Delivery knows stays
// as it is.
func judge(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, destination.ErrNotTried) {
		return err
	}
	switch err.(type) {
	case *destination.RefusedError, *destination.FatalError, *destination.TransientError:
		return err
	}
	code, ok := errors.AsType[*kerr.Error](err)
	switch {
	case ok && refusals[code.Code] != "":
		return &destination.RefusedError{Err: said(refusals[code.Code], code)}
	case ok && fatal[code.Code] != "":
		return &destination.FatalError{Err: said(fatal[code.Code], code)}
	case ctx.Err() != nil:
		return &destination.TransientError{Err: context.Cause(ctx)}
	case ok:
		return &destination.TransientError{Err: fmt.Errorf("the broker answered %w", said(code.Message, nil))}
	}
	if _, ok := errors.AsType[*kgo.ErrFirstReadEOF](err); ok {
		return &destination.TransientError{Err: errors.New("the broker closed the connection at once; it may expect TLS or SASL, or not expect it")}
	}
	return &destination.TransientError{Err: netdial.Explain(err)}
}

// said is what a code of the protocol says, in our words and by its name.
func said(text string, code *kerr.Error) error {
	if code == nil {
		return errors.New(text)
	}
	return &answer{text + " (" + code.Message + ")", code}
}

// An answer is a code in our words.
type answer struct {
	text string
	code *kerr.Error
}

func (a *answer) Error() string { return a.text }
func (a *answer) Unwrap() error { return a.code }
