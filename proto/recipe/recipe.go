package recipe

import (
	"cmp"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hark-cli/hark/internal/tomlfile"
)

// A Recipe is a service as a file describes it. It may be used by several goroutines.
type Recipe struct {
	// File is the name that it was read under, and Source what was read.
	File   string
	Source []byte
	// Name is one word in lower case. About is one line of help, or empty; Docs is the
	// address of the vendor's page, or empty.
	Name, About, Docs string
	// Params are the parameters, in the order of the file.
	Params []Param

	doc      *tomlfile.Document
	maxValue int      // of what an expression makes, in bytes
	secrets  []string // keys of the state and the cursor that contain credentials
	requests []request
	connect  connect
	open     opening
	rules    []rule
	timers   []timer
	silence  *expr // seconds
	limit    limit
	cursor   *expr
	confirm  *expr
	// onDelivered: what is confirmed are events that are done.
	onDelivered bool
	closing     closing
	event       describing
	sequence    numbering

	compiled []*expr   // while it is read
	sets     []setting // likewise
}

// A request is one [[request]].
type request struct {
	method                                string
	url, header, body, set, fail, message *expr
}

type connect struct {
	url, header, subprotocol, unwrap *expr
	framing                          framing
	ignore                           bool // messages that no rule takes
	noPings                          bool
}

// A framing is how messages lie in WebSocket messages.
type framing struct {
	text      bool   // they are not JSON
	separator string // of several in one; empty for none
}

type opening struct{ send, await *expr }

// A rule is one [[on]]; an expression that the file does not have is nil.
type rule struct {
	when, set, send, await, ack, request, ready, event, fail, message, reconnect, resumed *expr
}

// A timer is one [[every]].
type timer struct{ seconds, first, set, send, reply *expr }

type limit struct {
	frames int // 0 for no limit
	per    time.Duration
}

type closing struct {
	credentials, refused, fresh, done []int
	code                              int // 0 for the engine's
	send                              *expr
}

type describing struct{ id, kind, source, subject, time, data *expr }

// A numbering is [sequence].
type numbering struct{ value, by *expr }

// namePattern is the form of the name of a recipe, which is typed like that of a command.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// maxSource is the longest file that is read, in bytes.
const maxSource = 1 << 20

// Parse reads a recipe. file is the name for messages. The error is Errors: a recipe has
// every expression compiled, and nothing in it that is not known.
func Parse(file string, src []byte) (*Recipe, error) {
	return parse(file, src, Limits{}, false)
}

// Outline is Parse without a look at the expressions, which takes most of the time: for
// the name, the texts and the parameters.
func Outline(file string, src []byte) (*Recipe, error) {
	return parse(file, src, Limits{}, true)
}

// defaultMaxValue is the limit of values when there is none, in bytes.
const defaultMaxValue = 64 << 20

// parse is Parse with limits for the expressions, or Outline.
func parse(file string, src []byte, limits Limits, outline bool) (*Recipe, error) {
	limits.MaxValue = cmp.Or(limits.MaxValue, defaultMaxValue)
	if limits.Random == nil {
		limits.Random = rand.Float64
	}
	if len(src) > maxSource {
		return nil, Errors{{File: file, Msg: "larger than 1 MiB, which no recipe is"}}
	}
	doc, err := tomlfile.Parse(string(src))
	if err != nil {
		return nil, syntaxError(file, src, err)
	}
	rd := &reader{file: file, doc: doc}
	top := &table{reader: rd, m: doc.Tree}
	r := &Recipe{File: file, Source: src, doc: doc, maxValue: limits.MaxValue}
	r.read(top, compiler{r: r, limits: limits, vars: variables, outline: outline})
	r.taint()
	if errs := rd.sorted(); len(errs) > 0 {
		return nil, errs
	}
	return r, nil
}

// Requests reports whether the recipe makes requests before an attempt to connect.
func (r *Recipe) Requests() bool { return len(r.requests) > 0 }

// Mistake returns the error for what is wrong with a key in the opinion of the caller:
// Mistake(msg, "param", "token").
func (r *Recipe) Mistake(msg string, keys ...string) *Error {
	at := r.doc.Position(keys...)
	return &Error{File: r.File, Position: at, Msg: msg, line: r.doc.Line(at.Line)}
}

func (r *Recipe) read(top *table, c compiler) {
	r.Name = top.text("name")
	if _, ok := top.m["name"]; !ok {
		top.fault(tomlfile.Position{Line: 1, Column: 1}, "missing key: name")
	} else if !namePattern.MatchString(r.Name) {
		top.wrong("name", "expected lower-case letters, digits and hyphens, with a letter in front")
	}
	r.About = top.line("about")
	if r.Docs = top.line("docs"); r.Docs != "" {
		if u, err := url.Parse(r.Docs); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			top.wrong("docs", "expected the address of a page")
		}
	}
	r.secrets = top.strings("secret")
	r.readParams(top.sub("param"))
	for _, t := range top.list("request") {
		r.requests = append(r.requests, c.readRequest(t))
	}
	if t := top.sub("connect"); t != nil {
		r.connect = c.readConnect(t)
	} else if _, ok := top.m["connect"]; !ok {
		top.fault(tomlfile.Position{Line: 1, Column: 1}, "missing table: [connect], with the url")
	}
	if t := top.sub("open"); t != nil {
		r.open = opening{send: c.expr(t, "send"), await: c.expr(t, "await")}
		t.done()
	}
	for _, t := range top.list("on") {
		r.rules = append(r.rules, c.readRule(t))
	}
	for _, t := range top.list("every") {
		r.timers = append(r.timers, c.readTimer(t))
	}
	r.readRest(top, c)
	top.done()
}

func (r *Recipe) readRest(top *table, c compiler) {
	if t := top.sub("silence"); t != nil {
		r.silence = c.need(t, "seconds")
		t.done()
	}
	if t := top.sub("limit"); t != nil {
		r.limit = readLimit(t)
	}
	withEvent := c
	withEvent.vars = append(slices.Clone(variables), "event")
	if t := top.sub("cursor"); t != nil {
		r.cursor = withEvent.set(t, "from")
		if r.cursor == nil {
			withEvent.need(t, "from")
		}
		t.done()
	}
	if t := top.sub("confirm"); t != nil {
		r.confirm = withEvent.need(t, "send")
		r.onDelivered = t.oneOf("on", "received", "delivered") == "delivered"
		t.done()
	}
	if t := top.sub("close"); t != nil {
		r.closing = c.readClosing(t)
	}
	if t := top.sub("cloudevent"); t != nil {
		of := c
		of.vars = []string{"param"}
		r.event = describing{
			id: of.expr(t, "id"), kind: of.expr(t, "type"), source: of.expr(t, "source"),
			subject: of.expr(t, "subject"), time: of.expr(t, "time"), data: of.expr(t, "data"),
		}
		t.done()
	}
	if t := top.sub("sequence"); t != nil {
		r.sequence = numbering{value: withEvent.need(t, "value"), by: withEvent.expr(t, "by")}
		t.done()
	}
}

func (c compiler) readRequest(t *table) request {
	q := request{method: t.text("method")}
	if _, ok := t.m["method"]; ok && !methodPattern.MatchString(q.method) {
		t.wrong("method", "expected a method of HTTP, such as POST")
	}
	q.url, q.header, q.body = c.address(t, "url"), c.expr(t, "header"), c.expr(t, "body")
	q.set, q.fail, q.message = c.set(t, "set"), c.expr(t, "fail"), c.expr(t, "message")
	t.done()
	return q
}

var methodPattern = regexp.MustCompile(`^[A-Z]+$`)

func (c compiler) readConnect(t *table) connect {
	n := connect{url: c.address(t, "url"), header: c.expr(t, "header"), subprotocol: c.expr(t, "subprotocol"), unwrap: c.expr(t, "unwrap")}
	switch f := t.text("framing"); {
	case f == "" && t.m["framing"] == nil, f == "json":
	case f == "text":
		n.framing.text = true
	case strings.HasPrefix(f, "separator:") && f != "separator:":
		n.framing.separator = strings.TrimPrefix(f, "separator:")
	case t.m["framing"] != nil:
		t.wrong("framing", `expected "json", "text", or "separator:" with the text between two messages`)
	}
	n.ignore = t.oneOf("other", "event", "ignore") == "ignore"
	n.noPings = t.oneOf("pings", "sent", "none") == "none"
	t.done()
	return n
}

func (c compiler) readRule(t *table) rule {
	u := rule{
		when: c.need(t, "when"), set: c.set(t, "set"), send: c.expr(t, "send"), await: c.expr(t, "await"), ack: c.expr(t, "ack"),
		request: c.expr(t, "request"), ready: c.expr(t, "ready"), event: c.expr(t, "event"), fail: c.expr(t, "fail"),
		message: c.expr(t, "message"), reconnect: c.expr(t, "reconnect"), resumed: c.expr(t, "resumed"),
	}
	if u.message != nil && u.fail == nil {
		t.wrong("message", "there is no key fail, whose message it would be")
	}
	t.done()
	return u
}

func (c compiler) readTimer(t *table) timer {
	m := timer{
		seconds: c.need(t, "seconds"), first: c.expr(t, "first"),
		set: c.set(t, "set"), send: c.expr(t, "send"), reply: c.expr(t, "reply"),
	}
	t.done()
	return m
}

func readLimit(t *table) limit {
	l := limit{frames: t.integer("frames", 1, 1_000_000)}
	per := t.text("per")
	for _, key := range []string{"frames", "per"} {
		if _, ok := t.m[key]; !ok {
			t.fault(t.doc.Position(t.path...), "%s: missing key: %s", t.title, key)
		}
	}
	if _, ok := t.m["per"].(string); ok {
		d, err := time.ParseDuration(per)
		if err != nil || d <= 0 || d > 24*time.Hour {
			t.wrong("per", "expected a duration of at most a day, such as \"60s\"")
		}
		l.per = d
	}
	t.done()
	return l
}

func (c compiler) readClosing(t *table) closing {
	g := closing{
		credentials: t.codes("credentials"), refused: t.codes("refused"), fresh: t.codes("new"), done: t.codes("done"),
		code: t.integer("code", 1000, 4999), send: c.expr(t, "send"),
	}
	if g.code > 1003 && g.code < 3000 && (g.code < 1007 || g.code > 1014) {
		t.wrong("code", "a close frame cannot have this code: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999")
	}
	t.done()
	return g
}
