package emulator

import (
	"fmt"
	"slices"
	"strings"
)

// Options configure all emulators. Zero values are not replaced by defaults: start from
// DefaultOptions.
type Options struct {
	// Rate is how many events per second each service generates; 0 for none. They go to
	// its demo stream, application or location.
	Rate float64
	// Seed chooses what is generated. The same seed makes the same events, except
	// for their times.
	Seed uint64
	// Faults apply to every connection, in the syntax of FaultHeader; each entry counts
	// its connections separately.
	Faults []string
}

// DefaultOptions returns options for two events per second.
func DefaultOptions() Options { return Options{Rate: 2} }

// check returns an error for an invalid option.
func (o *Options) check() error {
	if !(o.Rate >= 0 && o.Rate <= 1e9) {
		return fmt.Errorf("rate %v is not a number of events per second", o.Rate)
	}
	return nil
}

// CheckStatus returns an error if the value of an option is not an HTTP status of 400 to 599.
func CheckStatus(option string, status int) error {
	if status < 400 || status > 599 {
		return fmt.Errorf("%s: %d is not an HTTP status from 400 to 599", option, status)
	}
	return nil
}

// CheckCode returns an error if the value of an option cannot be the status code of a close frame.
func CheckCode(option string, code int) error {
	if code < 0 || code > 65535 {
		return fmt.Errorf("%s: %d is not a status code of a close frame", option, code)
	}
	return nil
}

// CheckChoice returns an error if the value of an option is not one of choices.
func CheckChoice(option, value string, choices ...string) error {
	if !slices.Contains(choices, value) {
		return fmt.Errorf("%s: %q is not one of %s", option, value, strings.Join(choices, ", "))
	}
	return nil
}
