package eventjson

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// sideBySide runs own and std on each sample, so that one run compares them.
func sideBySide(b *testing.B, own, std func(b *testing.B, msg []byte)) {
	for _, name := range sampleNames {
		msg := []byte(samples()[name])
		for _, side := range []struct {
			name string
			f    func(*testing.B, []byte)
		}{{"own", own}, {"std", std}} {
			b.Run(name+"/"+side.name, func(b *testing.B) {
				b.SetBytes(int64(len(msg)))
				b.ReportAllocs()
				side.f(b, msg)
			})
		}
	}
}

func BenchmarkScan(b *testing.B) {
	sideBySide(b, func(b *testing.B, msg []byte) {
		for b.Loop() {
			if ok, _ := Valid(msg); !ok {
				b.Fatal("invalid")
			}
		}
	}, func(b *testing.B, msg []byte) {
		for b.Loop() {
			if !json.Valid(msg) || !utf8.Valid(msg) {
				b.Fatal("invalid")
			}
		}
	})
}

func BenchmarkAppendLine(b *testing.B) {
	sideBySide(b, func(b *testing.B, msg []byte) {
		var line []byte
		for b.Loop() {
			line, _ = AppendLine(line[:0], msg)
		}
	}, func(b *testing.B, msg []byte) {
		var line bytes.Buffer
		for b.Loop() {
			line.Reset()
			if err := json.Compact(&line, msg); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	sideBySide(b, func(b *testing.B, msg []byte) {
		var d Decoder
		for b.Loop() {
			if _, err := d.Decode(msg); err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B, msg []byte) {
		for b.Loop() {
			d := json.NewDecoder(bytes.NewReader(msg))
			d.UseNumber()
			var v any
			if err := d.Decode(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendValue(b *testing.B) {
	sideBySide(b, func(b *testing.B, msg []byte) {
		var d Decoder
		v, err := d.Decode(msg)
		if err != nil {
			b.Fatal(err)
		}
		var buf []byte
		for b.Loop() {
			buf, _ = AppendValue(buf[:0], v)
		}
	}, func(b *testing.B, msg []byte) {
		var d Decoder
		v, err := d.Decode(msg)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
