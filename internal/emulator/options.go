package emulator

import (
	"fmt"
	"slices"
	"strings"
)

// Options say how an emulator behaves, whatever it emulates. Every field counts as
// it is, so start from DefaultOptions.
type Options struct {
	// Rate is how many events per second each service makes up; 0 is none. What is for
	// demonstration, a stream for example, gets all of them.
	Rate float64
	// Seed chooses what is generated. The same seed makes the same events, except
	// for their times.
	Seed uint64
	// Faults happen to every connection, as FaultHeader has them; each entry
	// counts its connections by itself.
	Faults []string
}

// DefaultOptions makes up two events per second.
func DefaultOptions() Options { return Options{Rate: 2} }

// check looks for options that cannot be meant.
func (o *Options) check() error {
	if !(o.Rate >= 0 && o.Rate <= 1e9) {
		return fmt.Errorf("rate %v is not a number of events per second", o.Rate)
	}
	return nil
}

// CheckStatus is an error if the value of an option is no HTTP status of a refusal.
func CheckStatus(option string, status int) error {
	if status < 400 || status > 599 {
		return fmt.Errorf("%s: %d is not an HTTP status from 400 to 599", option, status)
	}
	return nil
}

// CheckCode is an error if the value of an option is no status code of a close frame.
func CheckCode(option string, code int) error {
	if code < 0 || code > 65535 {
		return fmt.Errorf("%s: %d is not a status code of a close frame", option, code)
	}
	return nil
}

// CheckChoice is an error if the value of an option is none of choices.
func CheckChoice(option, value string, choices ...string) error {
	if !slices.Contains(choices, value) {
		return fmt.Errorf("%s: %q is none of %s", option, value, strings.Join(choices, ", "))
	}
	return nil
}
