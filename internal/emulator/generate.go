package emulator

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// steadily calls f rate times per second on average until ctx is done. Above a hundred
// calls per second they are made in bursts.
func steadily(ctx context.Context, rate float64, f func()) {
	if rate <= 0 {
		return
	}
	ticker := time.NewTicker(max(time.Duration(float64(time.Second)/rate), 10*time.Millisecond))
	defer ticker.Stop()
	start := time.Now()
	for done := 0; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			// A little more than elapsed, so that rounding delays no event by a tick.
			due := int(now.Sub(start).Seconds()*rate + 1e-6)
			for ; done < due && ctx.Err() == nil; done++ {
				f()
			}
		}
	}
}

// NewRand returns a separate random generator for each purpose.
func NewRand(seed uint64, purpose string) *rand.Rand {
	stream := fnv.New64a()
	stream.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, stream.Sum64()))
}

// RandomHex returns n random hexadecimal digits.
func RandomHex(r *rand.Rand, n int) string {
	b := make([]byte, (n+1)/2)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(b)[:n]
}

// RandomAlnum returns n random letters and digits.
func RandomAlnum(r *rand.Rand, n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// RandomUUID returns a UUID of version 4.
func RandomUUID(r *rand.Rand) string {
	s := []byte(RandomHex(r, 32))
	s[12], s[16] = '4', "89ab"[r.IntN(4)]
	return fmt.Sprintf("%s-%s-%s-%s-%s", s[:8], s[8:12], s[12:16], s[16:20], s[20:])
}

// Observations are the names of what devices measure, in the order of their events:
// every kind of JSON value occurs early.
func Observations() []string {
	return []string{"temperature", "level", "state", "running", "environment", "battery", "samples", "serial", "fault", "location"}
}

// Observe generates a value of an observation: together they include integers and
// fractions, negative and zero, numbers beyond 2^53, strings, booleans, null, arrays
// and nested objects.
func Observe(r *rand.Rand, name string) any {
	switch name {
	case "temperature":
		return tenth(r, -20, 40)
	case "level":
		return r.IntN(201) - 100
	case "state":
		return Pick(r, "idle", "läuft", "停止", "naïve \"mode\"", "line\nbreak", "🚰 open", "")
	case "running":
		return r.IntN(2) == 1
	case "environment":
		return map[string]any{
			"temperature": tenth(r, 15, 30), "humidity": tenth(r, 20, 80), "pressure": 98000 + r.IntN(5000),
			"iaqValue": r.IntN(200), "co2EquivalentValue": 400 + r.IntN(900),
		}
	case "battery":
		return map[string]any{
			"V": tenth(r, 3, 5), "mA": -r.IntN(300), "percent": r.IntN(101), "degC": tenth(r, -10, 45),
			"charging": r.IntN(4) == 0, "health": Pick(r, "good", "fair", "poor"),
		}
	case "samples":
		samples := make([]any, r.IntN(5))
		for i := range samples {
			samples[i] = tenth(r, -1, 1)
		}
		return samples
	case "serial":
		return int64(1)<<53 + 1 + r.Int64N(1<<40)*2
	case "fault":
		if r.IntN(3) > 0 {
			return nil
		}
		return map[string]any{"code": r.IntN(100), "detail": map[string]any{"path": []string{"pump", "valve"}, "since": nil}}
	case "location":
		return map[string]any{"coordinates": map[string]any{
			"lat": math.Round((49+r.Float64())*1e4) / 1e4, "lon": -math.Round((123+r.Float64())*1e4) / 1e4,
			"ts": time.Now().UnixMilli(),
		}}
	}
	return 0
}

// tenth returns a number between low and high with at most one decimal.
func tenth(r *rand.Rand, low, high int) float64 {
	return float64(low*10+r.IntN((high-low)*10+1)) / 10
}

// Pick chooses one of values.
func Pick(r *rand.Rand, values ...string) string { return values[r.IntN(len(values))] }

// MustJSON encodes a value of the emulator, which cannot fail.
func MustJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as the services do
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("emulator: encoding %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// RawInt is a number as JSON.
func RawInt(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }

// RawNull is null as JSON.
func RawNull() json.RawMessage { return json.RawMessage("null") }

// Every returns a ticker that never ticks if d is 0.
func Every(d time.Duration) (ticks <-chan time.Time, stop func()) {
	if d <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// A Deadline fires if it is not reset for its duration; with 0, never.
type Deadline struct {
	C     <-chan time.Time
	timer *time.Timer
	d     time.Duration
}

// NewDeadline starts a deadline.
func NewDeadline(d time.Duration) *Deadline {
	if d <= 0 {
		return &Deadline{}
	}
	t := time.NewTimer(d)
	return &Deadline{C: t.C, timer: t, d: d}
}

// Reset restarts it.
func (d *Deadline) Reset() {
	if d.timer != nil {
		d.timer.Reset(d.d)
	}
}

// Stop stops it.
func (d *Deadline) Stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
