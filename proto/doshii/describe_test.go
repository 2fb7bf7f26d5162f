package doshii

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/proto"
)

func TestDescribe(t *testing.T) {
	d := &Service{Endpoint: "https://host", Path: "/app/socket/v3"}
	const source = "wss://host/app/socket/v3"
	for message, want := range map[string]proto.Description{
		`{"emit":["order_created",{"id":"o1"}]}`:             {Type: "co.doshii.order_created", Subject: "o1", Data: []byte(`{"id":"o1"}`)},
		`{"emit":["order_created",{"x":{"id":1},"id":-17}]}`: {Type: "co.doshii.order_created", Subject: "-17", Data: []byte(`{"x":{"id":1},"id":-17}`)},
		`{"emit":["order_created",{"id":17}]}`:               {Type: "co.doshii.order_created", Subject: "17", Data: []byte(`{"id":17}`)},
		`{"emit":["order_created",{"id":null}]}`:             {Type: "co.doshii.order_created", Data: []byte(`{"id":null}`)},
		`{"emit":["order_created"]}`:                         {Type: "co.doshii.order_created", Data: []byte{}},
		`{"emit":["order_created",{"id":"o1"},"more"]}`:      {Type: "co.doshii.order_created", Data: []byte(`{"emit":["order_created",{"id":"o1"},"more"]}`)},
		`{"event":"order_updated","data":{"id":"o2"}}`:       {Type: "co.doshii.order_updated", Subject: "o2", Data: []byte(`{"id":"o2"}`)},
		`{"type":"table_created","data":{"id":"t1"}}`:        {Type: "co.doshii.table_created", Subject: "t1", Data: []byte(`{"id":"t1"}`)},
		`{"emit":["no name",{"id":"o1"}]}`:                   {},
		`{"emit":[5,{"id":"o1"}]}`:                           {},
		`not JSON`:                                           {},
	} {
		want.Source = source
		if diff := cmp.Diff(want, d.Describe(proto.Message{Data: []byte(message)})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", message, diff)
		}
	}
}
