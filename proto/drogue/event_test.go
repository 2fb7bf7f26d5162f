package drogue

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

func TestFilter(t *testing.T) {
	const event = `{"specversion":"1.0","id":"1","type":"io.drogue.event.v1","subject":"gw1","data":{"device":"in the data"},"sender":"gw1","device":"sensor7"}`
	tests := []struct {
		name   string
		filter Filter
		event  string
		want   bool
	}{
		{"none", Filter{}, event, true},
		{"none, no JSON", Filter{}, "hello", true},
		{"device", Filter{Device: "sensor7"}, event, true},
		{"device is not the sender", Filter{Device: "gw1"}, event, false},
		{"sender is not the device", Filter{Sender: "sensor7"}, event, false},
		{"sender", Filter{Sender: "gw1"}, event, true},
		{"not in the data", Filter{Device: "in the data"}, event, false},
		{"type", Filter{Type: "io.drogue.event.v1"}, event, true},
		{"type is not a prefix", Filter{Type: "io.drogue.event"}, event, false},
		{"all of them", Filter{Device: "sensor7", Sender: "gw2"}, event, false},
		{"names have no capitals", Filter{Device: "x"}, `{"Device":"x"}`, false},
		{"escaped", Filter{Device: "é"}, `{"device":"\u00e9"}`, true},
		{"no string", Filter{Device: "1"}, `{"device":1}`, false},
		{"absent", Filter{Device: "x"}, `{}`, false},
		{"the last of two counts", Filter{Device: "x"}, `{"device":"y","device":"x"}`, true},
		{"the first of two does not", Filter{Device: "y"}, `{"device":"y","device":"x"}`, false},
		{"no object", Filter{Device: "x"}, `["device"]`, false},
		{"no JSON", Filter{Device: "x"}, `device x`, false},
	}
	for _, tt := range tests {
		s := &session{d: &Service{Filter: tt.filter}}
		step, err := prototest.Decode(s, proto.Message{Data: []byte(tt.event)})
		if err != nil || step.Event != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, step.Event, err, tt.want)
		}
	}
}

func TestDecodeEvent(t *testing.T) {
	tests := []struct{ name, event, want string }{
		{"text", `{"a":1, "datacontenttype":"text/plain; charset=utf-8" , "data_base64": "aGkgIsOpIg==" , "device":"d"}`,
			`{"a":1, "datacontenttype":"text/plain; charset=utf-8" , "data":"hi \"é\"" , "device":"d"}`},
		{"the type may come later", `{"data_base64":"aGk=","datacontenttype":"text/csv"}`, `{"data":"hi","datacontenttype":"text/csv"}`},
		{"JSON that a rule relabelled", `{"datacontenttype":"application/json","data_base64":"eyJ0ZW1wIjoxLjEwfQ=="}`,
			`{"datacontenttype":"application/json","data":{"temp":1.10}}`},
		{"JSON on lines", `{"datacontenttype":"application/senml+json","data_base64":"WwoxCl0K"}`,
			`{"datacontenttype":"application/senml+json","data":[ 1 ]}`},
		{"XML", `{"datacontenttype":"application/xml","data_base64":"PGEvPg=="}`, `{"datacontenttype":"application/xml","data":"<a/>"}`},
		{"empty text", `{"datacontenttype":"text/plain","data_base64":""}`, `{"datacontenttype":"text/plain","data":""}`},
		{"no JSON although it says so", `{"datacontenttype":"application/json","data_base64":"aGk="}`, ""},
		{"binary", `{"datacontenttype":"application/octet-stream","data_base64":"aGk="}`, ""},
		{"no type", `{"data_base64":"aGk="}`, ""},
		{"not UTF-8", `{"datacontenttype":"text/plain","data_base64":"/w=="}`, ""},
		{"another charset", `{"datacontenttype":"text/plain; charset=iso-8859-1","data_base64":"6Q=="}`, ""},
		{"another charset that could be UTF-8", `{"datacontenttype":"text/plain; charset=iso-8859-1","data_base64":"w6k="}`, ""},
		{"no base64", `{"datacontenttype":"text/plain","data_base64":"***"}`, ""},
		{"both", `{"datacontenttype":"text/plain","data":1,"data_base64":"aGk="}`, ""},
		{"data", `{"datacontenttype":"text/plain","data":"data_base64"}`, ""},
		{"inside the data", `{"datacontenttype":"text/plain","data":{"data_base64":"aGk="}}`, ""},
		{"no string", `{"datacontenttype":"text/plain","data_base64":5}`, ""},
		{"cut off", `{"datacontenttype":"text/plain","data_base64"`, ""},
		{"no name", `{"data_base64":"aGk=",5`, ""},
		{"no object", `"data_base64"`, ""},
	}
	for _, tt := range tests {
		want := tt.want
		if want == "" {
			want = tt.event
		}
		in := []byte(tt.event)
		if got := Decode(in); string(got) != want {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
		if string(in) != tt.event {
			t.Errorf("%s: the event was changed", tt.name)
		}
	}
}

// Valid JSON stays valid, and other attributes are not changed, whatever the message
// is.
func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(`{"datacontenttype":"text/plain","data_base64":"aGk=","x":[1]}`))
	f.Add([]byte(`{"data_base64":"aGk=","datacontenttype":"application/json"`))
	f.Add([]byte(`{"data_base64":"MQ==","datacontenttype":"application/json","data_base64":""}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		got := Decode(event)
		before, _ := eventjson.Valid(event)
		after, _ := eventjson.Valid(got)
		if before != after {
			t.Fatalf("%s became %s", event, got)
		}
		if bytes.Equal(got, event) || !before {
			return
		}
		var in, out map[string]any
		if json.Unmarshal(event, &in) != nil || json.Unmarshal(got, &out) != nil {
			t.Fatalf("%s became %s", event, got)
		}
		if in["datacontenttype"] != out["datacontenttype"] || len(in) != len(out) {
			t.Fatalf("%s became %s", event, got)
		}
	})
}
