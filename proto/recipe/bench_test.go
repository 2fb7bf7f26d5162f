package recipe

import (
	"os"
	"testing"

	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/prototest"
)

// BenchmarkDecode has a recipe with three rules make an event of a member of a message.
func BenchmarkDecode(b *testing.B) {
	src, err := os.ReadFile("../../bench/recipe.toml")
	if err != nil {
		b.Fatal(err)
	}
	k := talkOf(b, parsed(b, string(src)), map[string]any{"url": "ws://h"})
	k.open()
	m := proto.Message{Time: prototest.Noon, Data: []byte(`{"specversion":"1.0","id":"9e3779b1-0001","type":"io.drogue.event.v1","source":"drogue://demo-app/device-0001","subject":"state","time":"2026-11-05T10:01:01.007Z","data":{"value":16.1,"ok":true,"note":"abcdefghijklmnopqrstuvwxy"}}`)}
	b.SetBytes(int64(len(m.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if event, effects, err := k.s.Decode(m); event || err != nil || len(effects) != 2 && len(effects) != 1 {
			b.Fatal(event, effects, err)
		}
	}
}
