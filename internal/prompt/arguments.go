package prompt

import (
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/lineedit"
	"github.com/hark-cli/hark/proto/frame"
)

// CloseArguments parses [CODE [REASON]] (RFC 6455, section 7.4).
func CloseArguments(rest string) (code int, reason string, err error) {
	text, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	code = frame.StatusNormal
	if text != "" {
		if code, err = strconv.Atoi(strings.TrimSuffix(text, ",")); err != nil {
			return 0, "", cmdline.Usagef("/close%s: expected a status such as 1000", cmdline.Mention(text))
		}
	}
	switch {
	case code < 1000 || code > 4999 || code == 1004 || code == frame.StatusNone || code == frame.StatusAbnormal || code >= 1015 && code < 3000:
		return 0, "", cmdline.Usagef("/close %d: the status of a close frame must be 1000 to 1003, 1007 to 1014, or 3000 to 4999", code)
	case len(reason) > frame.MaxControlPayload-2:
		return 0, "", cmdline.Usagef("/close: the reason has %d bytes; the limit is %d", len(reason), frame.MaxControlPayload-2)
	}
	return code, reason, nil
}

// BinaryArgument returns the bytes of HEX or @FILE.
func BinaryArgument(arg string) ([]byte, error) {
	if path, ok := strings.CutPrefix(arg, "@"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, &cmdline.UsageError{Message: err.Error()}
		}
		return b, nil
	}
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(strings.TrimPrefix(arg, "0x")))
	if err != nil {
		return nil, cmdline.Usagef("/binary: expected hexadecimal digits in pairs, such as 00ff10, or @FILE")
	}
	return b, nil
}

// A PostWriter writes above the line being edited.
type PostWriter struct{ lineedit.Editor }

// Write implements io.Writer.
func (w PostWriter) Write(b []byte) (int, error) {
	w.Post(b)
	return len(b), nil
}

// ErrQuit ends a stream by /quit.
var ErrQuit = errors.New("ended at the prompt")
