package tokenstore

import (
	"errors"
	"testing"

	"github.com/zalando/go-keyring"
)

// A locked keyring is not a missing one, for all messages of the Secret Service and
// macOS.
func TestLocked(t *testing.T) {
	for text, want := range map[string]bool{
		"failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'": true,
		"Cannot get secret of a locked object: org.freedesktop.Secret.Error.IsLocked":    true,
		"security: SecKeychainItemCopyContent: User interaction is not allowed.":         true,
		"The name org.freedesktop.secrets was not provided by any .service files":        false,
		`exec: "dbus-launch": executable file not found in $PATH`:                        false,
	} {
		if got := errors.Is(explain(errors.New(text)), ErrLocked); got != want {
			t.Errorf("%s: locked is %v", text, got)
		}
	}
	if !errors.Is(explain(keyring.ErrNotFound), keyring.ErrNotFound) || explain(nil) != nil {
		t.Error("other errors do not stay what they are")
	}
}
