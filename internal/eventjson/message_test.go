package eventjson

import (
	"reflect"
	"testing"
)

func TestMessages(t *testing.T) {
	for _, tt := range []struct {
		value  any
		data   string
		binary bool
	}{
		{"text", "text", false},
		{"", "", false},
		{map[string]any{binaryKey: "AP8="}, "\x00\xff", true},
		{map[string]any{binaryKey: ""}, "", true},
		{map[string]any{"a": 1}, `{"a":1}`, false},
		{map[string]any{binaryKey: "AP8=", "a": 1}, `{"a":1,"data_base64":"AP8="}`, false},
		{map[string]any{binaryKey: 7}, `{"data_base64":7}`, false},
		{[]any{1, "x"}, `[1,"x"]`, false},
		{false, "false", false},
	} {
		data, binary, ok, err := ValueMessage(tt.value)
		if string(data) != tt.data || binary != tt.binary || !ok || err != nil {
			t.Errorf("%v is %q, binary %v (%v, %v), want %q", tt.value, data, binary, ok, err, tt.data)
		}
		if _, plain := tt.value.(string); plain || binary {
			if v := MessageValue(data, binary); !reflect.DeepEqual(v, tt.value) {
				t.Errorf("%q is %v, want %v", data, v, tt.value)
			}
		}
	}
	if _, _, ok, err := ValueMessage(nil); ok || err != nil {
		t.Errorf("null is a message (%v, %v)", ok, err)
	}
	if _, _, ok, err := ValueMessage(map[string]any{binaryKey: "?"}); ok || err == nil {
		t.Errorf("wrong Base64 is accepted (%v, %v)", ok, err)
	}
	if v := MessageValue([]byte("a\xff"), false); v != "a\uFFFD" {
		t.Errorf("a text that is not UTF-8 is %q", v)
	}
}
