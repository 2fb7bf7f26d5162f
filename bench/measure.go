package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// wanted reports whether the user wants the measurement of that name.
func (b *bench) wanted(name string) bool {
	if b.only == "" {
		return true
	}
	for word := range strings.SplitSeq(b.only, ",") {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// note says what could not be measured, and puts it into the report.
func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
	b.say(format, args...)
}

// measure measures everything. In each round every client has its turn, so that
// what else the machine does meanwhile hits all of them.
func (b *bench) measure() {
	for _, p := range b.clients {
		if p.path == "" {
			b.note("%s is not there and was not measured", p.name)
		}
	}
	for _, c := range testCases() {
		if b.wanted(c.name) {
			b.measureThroughput(c)
		}
	}
	if b.wanted("conditions") {
		b.measureConditions()
	}
	if b.wanted("play") {
		b.measurePlay()
	}
	if b.wanted("delivery") {
		b.measureDelivery()
	}
	if b.wanted("start-up") {
		b.measureStartup()
	}
	if b.wanted("latency") {
		b.measureLatency()
	}
	if b.wanted("memory") {
		b.measureMemory()
	}
}

// taking returns the clients that take part in a case and do it right.
func (b *bench) taking(c testCase) []client {
	var out []client
	for _, p := range b.clients {
		if !p.can(c) {
			continue
		}
		if err := b.check(p, c); err != nil {
			b.note("%s: %s was not measured: %v", c.name, p.name, err)
			continue
		}
		out = append(out, p)
	}
	return out
}

func (b *bench) measureThroughput(c testCase) {
	taking := b.taking(c)
	samples := map[string][]sample{}
	for range b.rounds {
		for _, p := range taking {
			s, err := b.throughput(p, c)
			if err != nil {
				b.note("%s: %s: %v", c.name, p.name, err)
				continue
			}
			b.say("%-14s %-8s %8.0f events/s %6.2f CPU s per million (cat %.2f), %.1f MiB",
				c.name, p.name, s.rate(), s.perMillion(), s.cat.Seconds()/float64(s.events)*1e6, mebi(s.peak))
			samples[p.name] = append(samples[p.name], s)
		}
	}
	b.addThroughput(c, samples)
}

const startups = 20

func (b *bench) measureStartup() {
	samples := map[string][]time.Duration{}
	for range startups {
		for _, p := range b.clients {
			if p.path == "" || p.name == withJaq {
				continue
			}
			d, err := b.startup(p)
			if err != nil {
				b.note("start-up: %s: %v", p.name, err)
				continue
			}
			samples[p.name] = append(samples[p.name], d)
		}
	}
	for _, p := range b.clients {
		if p.name == withJaq {
			continue
		}
		b.say("start-up       %-8s %s", p.name, median(samples[p.name]).Round(10*time.Microsecond))
	}
	b.addStartup(samples)
}

func (b *bench) measureLatency() {
	samples := map[string][]time.Duration{}
	for range b.rounds {
		for _, name := range []string{hark, websocat, bare} {
			p := b.client(name)
			if p.path == "" {
				continue
			}
			all, err := b.latency(p)
			if err != nil {
				b.note("latency: %s: %v", name, err)
				continue
			}
			p99 := percentile(all, 99)
			b.say("latency        %-8s median %s, 99th percentile %s", name, percentile(all, 50), p99)
			samples[name] = append(samples[name], p99)
		}
	}
	b.addLatency(samples)
}

func (b *bench) measureMemory() {
	for _, filter := range []string{"", `{id, v: .data.value}`} {
		first, tenth, err := b.growth(b.client(hark), filter)
		if err != nil {
			b.note("memory: %v", err)
			continue
		}
		b.say("memory         hark     %.1f MiB after the first million, %.1f MiB after the tenth", mebi(first), mebi(tenth))
		b.addGrowth(filter, first, tenth)
	}
	peaks := map[string]int64{}
	for _, name := range []string{hark, websocat} {
		p := b.client(name)
		if p.path == "" {
			continue
		}
		peak, err := b.blocked(p)
		if err != nil {
			b.note("memory with stdout blocked: %s: %v", name, err)
			continue
		}
		b.say("memory         %-8s %.1f MiB with stdout blocked", name, mebi(peak))
		peaks[name] = peak
	}
	b.addBlocked(peaks)
}

func mebi(n int64) float64 { return float64(n) / (1 << 20) }
