package stream

import (
	"net"
	"time"

	"github.com/hark-cli/hark/commands/listen"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/health"
	"github.com/hark-cli/hark/proto"
)

// healthFlags are about the server for monitors.
type healthFlags struct{ health string }

func (f *healthFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "health", Group: program.CatStatus, Value: cmdline.String(&f.health),
			Usage: "serve /healthz, /readyz and /metrics (Prometheus) at `ADDR`", Detail: ", " + listen.Forms},
	}
}

// listen listens at the address of --health, so that one that cannot be used is found
// before anything is dialed. It returns nil without the flag.
func (f *healthFlags) listen() (*healthServer, error) {
	if f.health == "" {
		return nil, nil
	}
	l, err := listen.On(f.health)
	if err != nil {
		err.Message = "--health: " + err.Message
		return nil, err
	}
	return &healthServer{Listener: l, address: f.health}, nil
}

// A healthServer answers monitors while a stream runs. A nil one does nothing.
type healthServer struct {
	net.Listener
	address string
}

// close gives the address back. It may be called after serve.
func (h *healthServer) close() {
	if h != nil {
		h.Listener.Close()
	}
}

// serve answers requests about s, whose run has the options o, until stop is called.
func (h *healthServer) serve(s *Stream, o *proto.Options) (stop func()) {
	if h == nil {
		return func() {}
	}
	limit, meter := o.Buffer, o.Meter
	server := health.Serve(h.Listener, h.address, func() health.Status {
		return s.journal.health(time.Now(), meter.Bytes(), limit)
	})
	s.Tell("health: http://%s", h.Addr())
	return server.Close
}

// health returns the state of the stream, whose buffer has so many bytes of limit in it.
func (j *journal) health(now time.Time, buffered, limit int) health.Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	var st health.Status
	switch {
	case j.state == "":
		st.NotReady = "starting"
	case j.state != proto.Ready{}.String():
		st.NotReady = j.state
	case j.failing:
		st.NotReady = "the destination does not take events"
	}
	c := j.count()
	labels := []string{"service", j.service}
	add := func(name, help string, counter bool, value float64) {
		st.Metrics = append(st.Metrics, health.Metric{Name: "hark_" + name, Help: help, Counter: counter, Labels: labels, Value: value})
	}
	ready := 0.0
	if st.NotReady == "" {
		ready = 1
	}
	add("ready", "1 if the stream is ready and the destination takes events, otherwise 0.", false, ready)
	add("events_total", "Events received.", true, float64(c.Events))
	add("events_printed_total", "Events of which something was printed or delivered.", true, float64(c.Printed))
	add("events_dropped_total", "Events dropped because the output was too slow.", true, float64(c.Dropped))
	add("output_bytes_total", "Bytes printed or delivered.", true, float64(c.Bytes))
	add("reconnects_total", "Connections after the first one.", true, float64(c.Reconnects))
	add("gaps_total", "Times in which events may have been lost.", true, float64(c.Gaps))
	add("buffer_bytes", "Bytes of messages that wait for the output.", false, float64(buffered))
	add("buffer_limit_bytes", "Size of the buffer in bytes.", false, float64(limit))
	if last := j.last(); !last.IsZero() {
		add("last_event_age_seconds", "Time since the last event was received.", false, max(now.Sub(last), 0).Seconds())
	}
	if d := c.deliveryCount; d != nil {
		add("delivered_total", "Events that the destination has acknowledged.", true, float64(d.Delivered))
		add("delivery_retries_total", "Attempts to deliver that were repeated.", true, float64(d.Retried))
		add("dead_letters_total", "Events that could not be delivered, in the file of --dead-letter.", true, float64(d.Dead))
		add("in_flight", "Events that the destination has not acknowledged yet.", false, float64(d.InFlight))
	}
	st.Metrics = append(st.Metrics, health.Metric{
		Name: "hark_info", Help: "The version of hark.", Labels: append(labels, "version", program.Version()), Value: 1,
	})
	return st
}
