package emulator

import "context"

// ParseFaults parses faults of services in the syntax of FaultHeader.
func ParseFaults(all Services, spec string) error {
	_, err := faultTable(all.Faults()).parse(spec)
	return err
}

// SplitFaults splits them.
func SplitFaults(all Services, spec string) []string { return faultTable(all.Faults()).split(spec) }

// RollFaults makes n choices of "random" for a service.
func RollFaults(all Services, opts Options, service string, n int) (specs []string, err error) {
	f, err := newFaultSource(context.Background(), opts, all, all.Names())
	if err != nil {
		return nil, err
	}
	for range n {
		specs = append(specs, f.roll(service, 10))
	}
	return specs, nil
}

// EventsPath is where events are published.
const EventsPath = eventsPath
