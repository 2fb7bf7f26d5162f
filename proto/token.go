package proto

import (
	"context"

	"github.com/hark-cli/hark/internal/secret"
)

// A TokenSource gives a credential each time that one is needed. It may block,
// on a command or a network, until ctx ends.
type TokenSource func(ctx context.Context) (secret.Value, error)

// Ask asks for the credential, and names the stage and the address in its error. A nil
// source has none.
func (s TokenSource) Ask(ctx context.Context, address string) (secret.Value, error) {
	if s == nil {
		return "", nil
	}
	v, err := s(ctx)
	if err != nil {
		return "", &HandshakeError{Stage: StageToken, Address: address, Err: err}
	}
	return v, nil
}
