package eventjson

import "encoding/json"

// Encode encodes a value of ours, which always has an encoding: it panics if not.
func Encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
