package cmdline

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Value stores and validates the value of a flag. Its content before the first Set is
// the default.
//
// A Value with a method IsBoolFlag that returns true requires no value; one with a
// method IsCumulative that returns true may be given several times, each adding to it.
// Expects, if it has that method, describes valid values; otherwise the error of Set
// does.
type Value = flag.Value

type boolean interface{ IsBoolFlag() bool }

type cumulative interface{ IsCumulative() bool }

type expecter interface{ Expects() string }

// errRange is the error for a value that is valid but out of range.
var errRange = errors.New("value out of range")

// String returns the Value of a flag for a text.
func String(p *string) Value { return (*stringValue)(p) }

// Strings returns the Value of a flag that may be repeated. Values are not split at
// commas, and spaces are retained.
func Strings(p *[]string) Value { return (*stringsValue)(p) }

// Bool returns the Value of a flag without a value; "--name=false" resets it.
func Bool(p *bool) Value { return (*boolValue)(p) }

// Int returns the Value of a flag for an integer.
func Int(p *int) Value { return (*intValue)(p) }

// Uint64 returns the Value of a flag for a non-negative integer.
func Uint64(p *uint64) Value { return (*uint64Value)(p) }

// Float returns the Value of a flag for a number.
func Float(p *float64) Value { return (*floatValue)(p) }

// Duration returns the Value of a flag for a duration; a number without a unit is in
// seconds, as for curl.
func Duration(p *time.Duration) Value { return (*durationValue)(p) }

type stringValue string

func (v *stringValue) Set(s string) error { *v = stringValue(s); return nil }
func (v *stringValue) String() string     { return string(*v) }

type stringsValue []string

// Set replaces the list rather than its elements, which a copy may share.
func (v *stringsValue) Set(s string) error { *v = append(slices.Clip(*v), s); return nil }
func (v *stringsValue) String() string     { return strings.Join(*v, ", ") }
func (v *stringsValue) IsCumulative() bool { return true }

type boolValue bool

func (v *boolValue) Set(s string) error {
	b, err := strconv.ParseBool(s)
	*v = boolValue(b)
	return err
}
func (v *boolValue) String() string   { return strconv.FormatBool(bool(*v)) }
func (v *boolValue) IsBoolFlag() bool { return true }
func (v *boolValue) Expects() string  { return "true or false" }

type intValue int

func (v *intValue) Set(s string) error {
	n, err := strconv.ParseInt(s, 0, strconv.IntSize)
	*v = intValue(n)
	return numberError(err)
}
func (v *intValue) String() string  { return strconv.Itoa(int(*v)) }
func (v *intValue) Expects() string { return "a whole number" }

type uint64Value uint64

func (v *uint64Value) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 64)
	*v = uint64Value(n)
	return numberError(err)
}
func (v *uint64Value) String() string  { return strconv.FormatUint(uint64(*v), 10) }
func (v *uint64Value) Expects() string { return "a whole number that is not negative" }

type floatValue float64

func (v *floatValue) Set(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	*v = floatValue(f)
	return numberError(err)
}
func (v *floatValue) String() string  { return strconv.FormatFloat(float64(*v), 'g', -1, 64) }
func (v *floatValue) Expects() string { return "a number" }

func numberError(err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return errRange
	}
	return err
}

type durationValue time.Duration

func (v *durationValue) Set(s string) error {
	d, err := ParseDuration(s)
	*v = durationValue(d)
	return err
}
func (v *durationValue) String() string  { return time.Duration(*v).String() }
func (v *durationValue) Expects() string { return "a duration such as 500ms, 30s or 5m" }

// A Size is a Value for a number of bytes: 1024, 64KiB, 10MB, in upper or lower case.
type Size int64

var sizeUnits = []struct {
	name   string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1},
}

// Set implements Value.
func (s *Size) Set(text string) error {
	number, factor := strings.TrimSpace(text), 1.0
	for _, u := range sizeUnits {
		at := len(number) - len(u.name)
		if at > 0 && strings.EqualFold(number[at:], u.name) {
			n := number[:at]
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*factor > 1<<50 {
		return fmt.Errorf("expected a size such as 65536, 64KiB or 10MB")
	}
	*s = Size(f * factor)
	return nil
}

// String implements Value.
func (s *Size) String() string {
	for _, u := range []struct {
		name   string
		factor Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if *s >= u.factor && *s%u.factor == 0 {
			return strconv.FormatInt(int64(*s/u.factor), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// try returns the error of Set for text, without setting v: it sets another Value of
// its type.
func try(v Value, text string) error {
	t := reflect.TypeOf(v)
	if t.Kind() != reflect.Pointer {
		return nil // which cannot be copied, such as a function
	}
	return reflect.New(t.Elem()).Interface().(Value).Set(text)
}
