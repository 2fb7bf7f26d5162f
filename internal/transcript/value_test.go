package transcript

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValues(t *testing.T) {
	type object = map[string]any
	header := http.Header{"A": {"1", "2"}}
	for _, tt := range []struct{ got, want any }{
		{Value([]byte(` {"a":null}`), false), object{"a": nil}},
		{Value([]byte(`{"a":true}`), true), object{"a": true}},
		{Value([]byte("no \xffJSON"), false), "no \uFFFDJSON"},
		{Value([]byte("\x00\xff"), true), object{"data_base64": "AP8="}},
		{Value(nil, false), ""},
		{OpenValue("ws://h", header, nil), object{"url": "ws://h", "header": object{"A": "1, 2"}, "subprotocol": nil}},
		{OpenValue("ws://h", nil, []string{"a", "b"}), object{"url": "ws://h", "header": object{}, "subprotocol": "a, b"}},
		{RequestValue("GET", "http://h", header, nil), object{"method": "GET", "url": "http://h", "header": object{"A": "1, 2"}, "body": nil}},
		{RequestValue("POST", "http://h", nil, []byte(`[]`)), object{"method": "POST", "url": "http://h", "header": object{}, "body": []any{}}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Error(diff)
		}
	}
}
