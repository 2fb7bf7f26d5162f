package eventjson

import "encoding/json"

// Encode encodes a value that can always be encoded; otherwise it panics.
func Encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
