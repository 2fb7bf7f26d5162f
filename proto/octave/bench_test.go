package octave

import (
	"fmt"
	"testing"
	"time"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// BenchmarkDecode measures the codec per event: with a cursor, its id and dates are
// parsed and remembered.
func BenchmarkDecode(b *testing.B) {
	const form = `{"type":"message","resource":"s6671a0f09b1c2d3e4f506172","value":{"creationDate":%d,"creatorId":"i000000000000000000000001",` +
		`"elems":{"remote":{"sensors":{"set1":{"turbidity":45,"flowIn":12.5,"flowOut":11.8,"temperature":23.2,"waterLevelHigh":true,"debris":false}}}},` +
		`"generatedDate":1718870398120,"hash":null,"id":"e%024x","lastEditDate":null,"location":null,"metadata":null,` +
		`"path":"/acme_water/devices/pump_07/set_1","streamId":"s6671a0f09b1c2d3e4f506172","tags":{}}}`
	messages := make([][]byte, 4096)
	for i := range messages {
		messages[i] = fmt.Appendf(nil, form, 1718870401337+int64(i)*60_000, i)
	}
	for _, cursor := range []bool{false, true} {
		b.Run(fmt.Sprintf("cursor=%v", cursor), func(b *testing.B) {
			s := &session{o: &Service{Streams: []string{"s6671a0f09b1c2d3e4f506172"}}}
			if cursor {
				s.cursor = newCursor()
			}
			s.OnOpen(prototest.Noon)
			now := prototest.Noon
			b.SetBytes(int64(len(messages[0])))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now = now.Add(time.Millisecond)
				if _, _, err := s.Decode(proto.Message{Data: messages[i%len(messages)], Time: now}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
