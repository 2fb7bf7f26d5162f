package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"
)

// What conditions cost is measured against a filter that looks for the same and, like
// they do, lets each event out: they come true for none.
var conditionCases = []struct {
	name, of string // of is the one that it is measured against
	flags    []string
	limit    float64 // of the time
}{
	{name: selectFilter, flags: []string{"--jq", selectFilter}},
	{"--until", selectFilter, []string{"--until", never[0]}, 1.1},
	{"--expect", selectFilter, []string{"--expect", never[0]}, 1.1},
	{"--fail-if", selectFilter, []string{"--fail-if", never[0]}, 1.1},
	{"four --expect", "--expect", []string{"--expect", never[0], "--expect", never[1], "--expect", never[2], "--expect", never[3]}, 1.5},
}

const selectFilter = `select(.data.value <= 100)`

var never = []string{`.data.value > 100`, `.subject == "alarm"`, `.data.ok == "no"`, `.source | startswith("x")`}

// A timing is one run: its time on the clock and on CPUs.
type timing struct{ wall, cpu time.Duration }

// medians are the medians of both.
func medians(all []timing) (t timing) {
	var walls, cpus []time.Duration
	for _, s := range all {
		walls, cpus = append(walls, s.wall), append(cpus, s.cpu)
	}
	return timing{median(walls), median(cpus)}
}

func (b *bench) measureConditions() {
	c := testCase{name: "conditions", size: 250, events: 400_000}
	p := b.client(hark)
	samples := map[string][]timing{}
	for range b.rounds {
		for _, v := range conditionCases {
			t, err := b.timed(append([]string{p.path, "connect", b.server.url(false)}, v.flags...), c)
			if err != nil {
				b.note("conditions: %s: %v", v.name, err)
				continue
			}
			b.say("conditions     %-28s %s, %s CPU", v.name, t.wall.Round(time.Millisecond), t.cpu.Round(time.Millisecond))
			samples[v.name] = append(samples[v.name], t)
		}
	}
	for _, v := range conditionCases {
		if v.of != "" && len(samples[v.name]) > 0 && len(samples[v.of]) > 0 {
			b.addTimes("conditions: "+v.name, medians(samples[v.name]), medians(samples[v.of]), v.of, most(v.limit, ""), true)
		}
	}
}

// timed runs hark on the events of c, into cat. How it exits is not looked at: a condition
// that has not come true is a failure.
func (b *bench) timed(argv []string, c testCase) (timing, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return timing{}, err
	}
	defer null.Close()
	wall, used, err := b.stream([][]string{argv, {"cat"}}, null, c, c.events)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return timing{}, err
	}
	return timing{wall, used[0].cpu}, nil
}

// addTimes adds a row for the time on the clock; slower says that the ratio is that of
// times, and not that of speeds.
func (b *bench) addTimes(what string, own, other timing, name string, limit *bar, slower bool) {
	ratio := float64(own.wall) / float64(other.wall)
	if !slower {
		ratio = 1 / ratio
	}
	b.rows = append(b.rows, row{
		what: what + ": ms", hark: ms(own.wall), peer: strings.TrimSpace(ms(other.wall) + " " + name), ratio: ratio, bar: limit,
	}, row{
		what: what + ": CPU ms", hark: ms(own.cpu), peer: strings.TrimSpace(ms(other.cpu) + " " + name), ratio: float64(own.cpu) / float64(other.cpu),
	})
}
