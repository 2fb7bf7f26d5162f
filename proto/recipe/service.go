package recipe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/internal/jq"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// Options are what a service is made of besides its recipe.
type Options struct {
	// Values are those of parameters, by name, in the types of jq; of a repeatable one, a
	// list. A parameter that has none has its default.
	Values map[string]any
	// Secrets are the sources of parameters that are credentials, by name. They are
	// asked anew for each attempt.
	Secrets map[string]proto.TokenSource
	// AckTimeout is how long a connection may take until it is ready; 0 for any time.
	AckTimeout time.Duration
	// Client sends the requests of the recipe. It follows no redirects itself.
	Client *http.Client
	// Redirects: a server may lead to another origin, as long as no credentials go there.
	Redirects bool
	Limits    Limits
	// Now is the clock of a handshake; nil for time.Now.
	Now func() time.Time
}

// A Service is a recipe with values for its parameters. It implements proto.Service,
// Classifier, Describer, Player, Resumer, Identifier and DeliveryConfirmer.
type Service struct {
	recipe  *Recipe
	options Options
	given   map[string]any // the parameters that are no credentials
	match   *matcher

	// positions: its events have positions, and stored is the one to continue from; see
	// Resume.
	positions bool
	stored    any
}

// The engine and the commands find these interfaces at run time.
var (
	_ proto.Classifier        = (*Service)(nil)
	_ proto.Describer         = (*Service)(nil)
	_ proto.Resumer           = (*Service)(nil)
	_ proto.Identifier        = (*Service)(nil)
	_ proto.DeliveryConfirmer = (*Service)(nil)
	_ proto.Confirmer         = (*session)(nil)
	_ proto.SecretPosition    = (*position)(nil)
)

// Service makes a service of the recipe.
func (r *Recipe) Service(o Options) (*Service, error) {
	if l := o.Limits; l.MaxValue != 0 || l.Timeout != 0 || l.Random != nil {
		limited, err := parse(r.File, r.Source, o.Limits, false)
		if err != nil {
			return nil, err
		}
		r = limited
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	s := &Service{recipe: r, options: o, given: make(map[string]any), match: newMatcher(r)}
	for _, p := range r.Params {
		v, given := o.Values[p.Name]
		if !given {
			v = p.Default
		}
		if list, ok := v.([]any); ok && len(list) == 0 && p.Repeat {
			v = nil
		}
		if v != nil {
			s.given[p.Name] = v
		}
	}
	return s, nil
}

// Name implements proto.Service.
func (s *Service) Name() string { return s.recipe.Name }

// Recipe returns what the service was made of.
func (s *Service) Recipe() *Recipe { return s.recipe }

// Start implements proto.Service.
func (s *Service) Start() proto.Source {
	return &run{svc: s, params: maps.Clone(s.given), state: make(map[string]any), cursor: s.stored, warned: make(map[string]time.Time)}
}

// Offline implements proto.Player.
func (s *Service) Offline() proto.Session { return s.Start().(*run).Offline() }

// A failure is what a recipe says has failed.
type failure struct {
	class proto.Class
	again bool   // a new connection is asked for
	text  string // for the user
}

func (e *failure) Error() string { return e.text }

// Classify implements proto.Classifier.
func (s *Service) Classify(err error) proto.Verdict {
	if f, ok := errors.AsType[*failure](err); ok {
		return proto.Verdict{Class: f.class, RetryNow: f.again}
	}
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok && e.Stage == proto.StageRequest {
		// Unlike a socket, an interface of HTTP is there when it answers.
		if e.Status >= 400 && e.Status < 500 {
			switch e.Status {
			case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired,
				http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			default:
				return proto.Verdict{Class: proto.Refused}
			}
		}
	}
	if e, ok := errors.AsType[*proto.CloseError](err); ok {
		g := &s.recipe.closing
		switch {
		case slices.Contains(g.credentials, e.Code):
			return proto.Verdict{Class: proto.Credentials}
		case slices.Contains(g.refused, e.Code):
			return proto.Verdict{Class: proto.Refused}
		case slices.Contains(g.done, e.Code):
			return proto.Verdict{Class: proto.Done}
		case slices.Contains(g.fresh, e.Code):
			return proto.Verdict{Class: proto.Transient}
		}
	}
	return proto.Verdict{}
}

// Describe implements proto.Describer.
func (s *Service) Describe(m proto.Message) (d proto.Description) {
	e := &s.recipe.event
	d.Source = s.source()
	if m.Data == nil || *e == (describing{}) {
		return d
	}
	var decoder eventjson.Decoder
	v, err := decoder.Decode(m.Data)
	if err != nil {
		v = eventjson.MessageValue(m.Data, m.Binary)
	}
	vars := []any{s.given}
	text := func(e *expr) string { return attribute(e, v, vars) }
	d.ID, d.Type, d.Subject = text(e.id), text(e.kind), text(e.subject)
	if t := text(e.source); t != "" {
		d.Source = t
	}
	d.Time = s.timeOf(e.time, v, vars)
	if e.data != nil {
		if outputs, err := e.data.run(v, vars); err == nil && len(outputs) > 0 {
			d.Data, _ = eventjson.AppendValue([]byte{}, outputs[0])
		}
	}
	return d
}

// Summary implements proto.Summarizer: type, subject and payload.
func (s *Service) Summary(m proto.Message) proto.Summary {
	d := s.Describe(m)
	return proto.Summary{What: d.Type, From: d.Subject, Data: d.Data}
}

// attribute is the text that an expression yields for an event; "" for null and for nil.
func attribute(e *expr, v any, vars []any) string {
	if e == nil {
		return ""
	}
	outputs, _ := e.run(v, vars)
	switch t := first(outputs).(type) {
	case nil:
		return ""
	case string:
		return t
	default:
		b, _ := eventjson.AppendValue(nil, t)
		return string(b)
	}
}

// timeOf is a time that an event states: RFC 3339, or seconds or milliseconds since 1970.
func (s *Service) timeOf(e *expr, v any, vars []any) time.Time {
	if e == nil {
		return time.Time{}
	}
	outputs, err := e.run(v, vars)
	if err != nil {
		return time.Time{}
	}
	if text, ok := first(outputs).(string); ok {
		t, _ := time.Parse(time.RFC3339Nano, text)
		return t
	}
	const (
		mostSeconds = 1 << 36 // of the year 4147
		most        = mostSeconds * 1000
	)
	switch n, ok := number(first(outputs)); {
	case !ok || n <= 0 || n >= most:
		return time.Time{}
	case n >= mostSeconds:
		return time.UnixMilli(int64(n)).UTC()
	default:
		return time.UnixMicro(int64(n * 1e6)).UTC()
	}
}

// source is the source of its events if they do not say another one.
func (s *Service) source() string { return "urn:hark:recipe:" + s.recipe.Name }

// ask asks for the credentials of an attempt.
func (r *run) ask(ctx context.Context) error {
	for _, p := range r.svc.recipe.Params {
		source := r.svc.options.Secrets[p.Name]
		if source == nil {
			continue
		}
		v, err := source.Ask(ctx, r.svc.recipe.Name)
		if err != nil {
			return err
		}
		r.params = maps.Clone(r.params)
		if v == "" {
			delete(r.params, p.Name)
			continue
		}
		if p.Repeat {
			r.params[p.Name] = []any{v.Reveal()}
		} else {
			r.params[p.Name] = v.Reveal()
		}
	}
	return nil
}

// secretValues are the credentials that are known in a run.
func (r *run) secretValues() (list []string) {
	for _, p := range r.svc.recipe.Params {
		if p.Secret {
			list = slices.AppendSeq(list, leaves(r.params[p.Name]))
		}
	}
	for _, values := range []any{r.state, r.cursor} {
		list = append(list, r.svc.recipe.secretsIn(values)...)
	}
	return list
}

// secretsIn are the credentials in a state or a cursor.
func (r *Recipe) secretsIn(v any) (list []string) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for _, k := range r.secrets {
		list = slices.AppendSeq(list, leaves(object[k]))
	}
	return list
}

// handshakeError is a failure of the recipe before there is an address.
func handshakeError(e *expr, format string, args ...any) error {
	return &proto.HandshakeError{
		Stage: netdial.StageUpgrade, Address: "(no address)",
		Err: &proto.ProtocolError{Err: fmt.Errorf("%s: %s", e.name, fmt.Sprintf(format, args...))},
	}
}

// clone makes a value last: what a message was decoded to is used again.
func clone(v any) any { return jq.Clone(v) }
