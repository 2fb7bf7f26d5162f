package main

import (
	"bytes"
	"os"
	"path/filepath"
	"time"
)

// measurePlay measures hark play alongside hark connect, which had the same events, and
// alongside jq and jaq on a plain file of them; and what several cores are worth to a
// filter that takes long.
func (b *bench) measurePlay() {
	c := testCase{name: "play", size: 250, events: 400_000, filter: `select(.data.value > 21)`}
	p := b.client(hark)
	recording, plain := filepath.Join(b.folder, "recording"), filepath.Join(b.folder, "events")
	defer os.Remove(recording)
	defer os.Remove(plain)
	if _, err := b.timed([]string{p.path, "connect", b.server.url(false), "--record", recording}, c); err != nil {
		b.note("play: %v", err)
		return
	}
	lines := cycle(b.load(c.size, false).messages, c.events)
	if err := os.WriteFile(plain, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
		b.note("play: %v", err)
		return
	}
	const connect, playRecording, playPlain = "hark connect --jq", "hark play RECORDING", "hark play FILE"
	const slow, alone = "hark play --jq SLOW", "hark play --jq SLOW, one core"
	const expensive = `.data.value + ([range(20)] | add)`
	programs := []struct {
		name string
		argv []string
	}{
		{playRecording, []string{p.path, "play", recording, "--jq", c.filter}},
		{playPlain, []string{p.path, "play", plain, "--jq", c.filter}},
		{slow, []string{p.path, "play", plain, "--jq", expensive}},
		{alone, []string{look("env"), "GOMAXPROCS=1", p.path, "play", plain, "--jq", expensive}},
		{"jq -c", []string{look("jq"), "-c", c.filter, plain}},
		{"jaq -c", []string{b.jaq, "-c", c.filter, plain}},
	}
	samples := map[string][]timing{}
	note := func(name string, t timing, err error) {
		if err != nil {
			b.note("play: %s: %v", name, err)
			return
		}
		b.say("play           %-20s %s, %s CPU", name, t.wall.Round(time.Millisecond), t.cpu.Round(time.Millisecond))
		samples[name] = append(samples[name], t)
	}
	for range b.rounds {
		t, err := b.timed([]string{p.path, "connect", b.server.url(false), "--jq", c.filter}, c)
		note(connect, t, err)
		for _, program := range programs {
			if program.argv[0] != "" {
				t, err := timedFile(program.argv)
				note(program.name, t, err)
			}
		}
	}
	for _, r := range []struct {
		own, other string
		limit      *bar
		slower     bool
	}{{playRecording, connect, most(1.2, ""), true}, {playPlain, "jq -c", least(3), false}, {playPlain, "jaq -c", least(1.5), false}, {slow, alone, least(1.3), false}} {
		if len(samples[r.own]) > 0 && len(samples[r.other]) > 0 {
			b.addTimes("play: "+r.own, medians(samples[r.own]), medians(samples[r.other]), r.other, r.limit, r.slower)
		}
	}
}

// timedFile runs a program that reads a file, into cat.
func timedFile(argv []string) (timing, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return timing{}, err
	}
	defer null.Close()
	began := time.Now()
	pipe, err := start([][]string{argv, {"cat"}}, null, nil)
	if err != nil {
		return timing{}, err
	}
	used, err := pipe.wait()
	if err != nil {
		return timing{}, err
	}
	return timing{time.Since(began), used[0].cpu}, nil
}
