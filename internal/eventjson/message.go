package eventjson

import (
	"encoding/base64"
	"errors"
	"strings"
)

// binaryKey is the only member of an object that stands for a binary message, as in the
// JSON format of CloudEvents, section 3.1.
const binaryKey = "data_base64"

// MessageValue returns the value that stands for a message that is not JSON: the text of
// a text message, an object with the bytes in Base64 of a binary one.
func MessageValue(data []byte, binary bool) any {
	if binary {
		return map[string]any{binaryKey: base64.StdEncoding.EncodeToString(data)}
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

// ValueMessage returns the message that an expression yields: a string is a text as it
// is, an object as MessageValue returns it is a binary message, and any other value is
// the text of its JSON. ok is false for null, which is no message.
func ValueMessage(v any) (data []byte, binary, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return nil, false, false, nil
	case string:
		return []byte(v), false, true, nil
	case map[string]any:
		if text, is := v[binaryKey].(string); is && len(v) == 1 {
			if data, err = base64.StdEncoding.DecodeString(text); err != nil {
				return nil, true, false, errors.New(binaryKey + " is not base64")
			}
			return data, true, true, nil
		}
	}
	data, err = AppendValue(nil, v)
	return data, false, err == nil, err
}
