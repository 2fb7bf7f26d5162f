package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// A row is one line of the table: hark alongside one other client.
type row struct {
	what    string
	hark    string
	peer    string // its value and name
	ratio   float64
	value   float64 // what the bar is about, when it is not the ratio
	bar     *bar
	nothing bool // there is no ratio
}

// A bar is what must hold.
type bar struct {
	atLeast bool
	limit   float64
	unit    string // "" for a ratio
}

func (b bar) String() string {
	sign := "≤"
	if b.atLeast {
		sign = "≥"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %.4g %s", sign, b.limit, b.unit))
}

func (r row) holds() bool {
	v := r.ratio
	if r.bar.unit != "" {
		v = r.value
	}
	if r.bar.atLeast {
		return v >= r.bar.limit
	}
	return v <= r.bar.limit
}

// least and most are bars for a ratio, or for a value with a unit.
func least(limit float64) *bar             { return &bar{atLeast: true, limit: limit} }
func most(limit float64, unit string) *bar { return &bar{limit: limit, unit: unit} }

// bars of throughput and CPU time, by case, against websocat, with jq where there is a
// filter.
func throughputBars(name string) (rate, cpu *bar) {
	switch name {
	case "250 B":
		return least(1.5), most(0.75, "")
	case "64 KiB":
		return least(2), nil
	case "select", "object":
		return least(8), most(0.2, "")
	}
	return nil, nil
}

func (b *bench) addThroughput(c testCase, samples map[string][]sample) {
	values := func(name string) (rate, cpu, peak float64) {
		var rates, cpus []float64
		var peaks []int64
		for _, s := range samples[name] {
			rates, cpus, peaks = append(rates, s.rate()), append(cpus, s.perMillion()), append(peaks, s.peak)
		}
		return median(rates), median(cpus), mebi(median(peaks))
	}
	if len(samples[hark]) == 0 {
		return
	}
	rate, cpu, peak := values(hark)
	for _, p := range b.clients[1:] {
		if len(samples[p.name]) == 0 {
			continue
		}
		name := p.name
		if c.filter != "" && p.name == websocat {
			name += " with jq -c"
		}
		prate, pcpu, ppeak := values(p.name)
		row1 := row{what: c.name + ": events/s", hark: count(rate), peer: count(prate) + " " + name, ratio: rate / prate}
		row2 := row{what: c.name + ": CPU s per million", hark: fmt.Sprintf("%.2f", cpu), peer: fmt.Sprintf("%.2f %s", pcpu, name), ratio: cpu / pcpu}
		row3 := row{what: c.name + ": peak memory, MiB", hark: fmt.Sprintf("%.1f", peak), peer: fmt.Sprintf("%.1f %s", ppeak, name), ratio: peak / ppeak}
		if p.name == harkRun {
			row1.bar = most(2, "")
		}
		if p.name == websocat {
			row1.bar, row2.bar = throughputBars(c.name)
			limit := 20.0
			if c.filter != "" {
				limit = 40
			}
			row3.bar, row3.value = most(limit, "MiB"), peak
		}
		if p.name == withJaq {
			row1.bar = least(5)
		}
		b.rows = append(b.rows, row1, row2, row3)
	}
}

func count(perSecond float64) string {
	switch {
	case perSecond >= 1e6:
		return fmt.Sprintf("%.2f M", perSecond/1e6)
	case perSecond >= 1e4:
		return fmt.Sprintf("%.0f k", perSecond/1e3)
	case perSecond < 1e3:
		return fmt.Sprintf("%.0f", perSecond)
	}
	return fmt.Sprintf("%.1f k", perSecond/1e3)
}

func (b *bench) addStartup(samples map[string][]time.Duration) {
	own := median(samples[hark])
	for _, p := range b.clients[1:] {
		if len(samples[p.name]) == 0 || own == 0 || p.name == withJaq {
			continue
		}
		d := median(samples[p.name])
		r := row{what: "start-up, one event, exit: ms", hark: ms(own), peer: ms(d) + " " + p.name, ratio: float64(own) / float64(d)}
		switch p.name {
		case websocat:
			r.bar = most(0.35, "")
		case wscat:
			r.bar = most(0.1, "")
		}
		b.rows = append(b.rows, r)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1e3) }

func (b *bench) addLatency(samples map[string][]time.Duration) {
	own := median(samples[hark])
	for _, p := range b.clients[1:] {
		if len(samples[p.name]) == 0 || own == 0 {
			continue
		}
		d := median(samples[p.name])
		r := row{what: "latency at 1,000 events/s, 99th percentile: ms", hark: ms(own), peer: ms(d) + " " + p.name, ratio: float64(own) / float64(d)}
		if p.name == bare {
			r.bar, r.value = most(1, "ms more"), (own-d).Seconds()*1e3
		}
		b.rows = append(b.rows, r)
	}
}

func (b *bench) addGrowth(filter string, first, tenth int64) {
	what := "memory after the tenth million, MiB"
	if filter != "" {
		what += ", with --jq"
	}
	b.rows = append(b.rows, row{
		what: what, hark: fmt.Sprintf("%.1f", mebi(tenth)), peer: fmt.Sprintf("%.1f after the first", mebi(first)),
		// what the runtime does in its own time is no growth
		ratio: float64(tenth) / float64(first), bar: most(2, "MiB more"), value: mebi(tenth - first),
	})
}

func (b *bench) addBlocked(peaks map[string]int64) {
	if peaks[hark] == 0 {
		return
	}
	r := row{what: "peak memory with stdout blocked for 20 s, MiB", hark: fmt.Sprintf("%.1f", mebi(peaks[hark])),
		bar: most(20+bufferMiB, "MiB"), value: mebi(peaks[hark]), nothing: true}
	if peak := peaks[websocat]; peak > 0 {
		r.peer, r.ratio, r.nothing = fmt.Sprintf("%.1f %s", mebi(peak), websocat), float64(peaks[hark])/float64(peak), false
	}
	b.rows = append(b.rows, r)
}

// bufferMiB is the default of hark's --buffer.
const bufferMiB = 64

// report is the table with what belongs to it, as Markdown.
func (b *bench) report() string {
	var t strings.Builder
	fmt.Fprintf(&t, "# Speed, measured\n\nWritten by `make bench` on %s. %s\n\n", time.Now().Format("2 January 2006"), machine())
	for _, line := range b.versions() {
		fmt.Fprintf(&t, "* %s\n", line)
	}
	fmt.Fprintf(&t, "\nAll in one run, medians of %d, start-up of %d. Ratios are hark's value divided by the other's.\n"+
		"Throughput is into `cat >/dev/null`; CPU is the client's and, where there is one, jq's, without cat's.\n"+
		"*floor* is a bare frame reader that checks nothing.\n\n", b.rounds, startups)
	t.WriteString("| hark ÷ other | bar | | what | hark | other |\n|---:|---:|---|---|---:|---|\n")
	held, failed := 0, 0
	for _, r := range b.rows {
		ratio, limit, verdict := fmt.Sprintf("%.2f", r.ratio), "", ""
		if r.nothing {
			ratio = ""
		}
		if r.bar != nil {
			limit = r.bar.String()
			verdict = "holds"
			if r.holds() {
				held++
			} else {
				verdict = "**missed**"
				failed++
			}
		}
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s | %s |\n", ratio, limit, verdict, r.what, r.hark, r.peer)
	}
	fmt.Fprintf(&t, "\n%d bars hold, %d are missed.\n", held, failed)
	if len(b.notes) > 0 {
		t.WriteString("\nNot measured, or measured with trouble:\n\n")
		for _, n := range b.notes {
			fmt.Fprintf(&t, "* %s\n", strings.ReplaceAll(n, "\n", " "))
		}
	}
	return t.String()
}

// machine says what the run was on.
func machine() string {
	cpu := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	system := runtime.GOOS
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		system = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%d CPUs (%s), %s.", runtime.NumCPU(), cpu, system)
}

func (b *bench) versions() []string {
	out := []string{
		version(b.client(hark).path, "--version"),
		version(b.client(websocat).path, "--version"),
		"wscat " + version(b.client(wscat).path, "--version") + ", node " + version(look("node"), "--version"),
		version(look("jq"), "--version"),
	}
	if path := b.jaq; path != "" {
		out = append(out, version(path, "--version"))
	}
	if p := b.client(uwsc); p.path != "" {
		out = append(out, "uwsc "+version(p.path, "--version"))
	}
	return out
}
