package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hark-cli/hark/internal/eventjson"
	"github.com/hark-cli/hark/proto"
)

// A call is one request over HTTP.
type call struct {
	name        string // of the key that asks for it
	method, url string
	header      http.Header
	body        any // nil for none
	// secret: the address is made of a credential, and is withheld. private: the address,
	// the header or the body is, so that no other origin may see them.
	secret, private bool
	secrets         []string
}

// address is the address for messages.
func (c *call) address() string {
	if c.secret {
		return withheldAddress
	}
	return proto.BareAddress(c.url)
}

func (c *call) error(format string, args ...any) error {
	return &proto.HandshakeError{
		Stage: stageOfRequests, Address: c.address(),
		Err: &proto.ProtocolError{Err: fmt.Errorf("%s: %s", c.name, fmt.Sprintf(format, args...))},
	}
}

// send sends a request, and returns the status and the value of the answer. With any,
// every answer is returned; otherwise a status of 300 or above is an error.
func (s *Service) send(ctx context.Context, c call, any bool) (status int, answer map[string]any, err error) {
	body, kind, err := c.content()
	if err != nil {
		return 0, nil, c.error("%v", err)
	}
	method := c.method
	switch {
	case method != "":
	case body != nil:
		method = http.MethodPost
	default:
		method = http.MethodGet
	}
	if kind != "" && c.header.Get("Content-Type") == "" {
		c.header = c.header.Clone()
		c.header.Set("Content-Type", kind)
	}
	for hop := 0; ; hop++ {
		resp, text, err := s.exchange(ctx, &c, method, body)
		if err != nil {
			return 0, nil, err
		}
		if location := resp.Header.Get("Location"); location != "" && redirects(resp.StatusCode) {
			if hop == maxHops {
				return 0, nil, c.misled(resp, fmt.Errorf("%d redirects were followed", hop))
			}
			if err := s.follow(&c, location); err != nil {
				return 0, nil, c.misled(resp, err)
			}
			if resp.StatusCode == http.StatusSeeOther || resp.StatusCode < http.StatusSeeOther && method == http.MethodPost {
				if body = nil; method != http.MethodHead {
					method = http.MethodGet
				}
				c.header.Del("Content-Type")
			}
			continue
		}
		if !any && resp.StatusCode >= http.StatusMultipleChoices {
			e := proto.AnswerError(stageOfRequests, c.address(), resp)
			e.Body = c.excerpt(text)
			return 0, nil, e
		}
		return resp.StatusCode, answerValue(resp, text), nil
	}
}

// maxHops is how many redirects of a request are followed.
const maxHops = 10

// redirects reports whether a status leads elsewhere.
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// misled is the error for a redirect that is not followed.
func (c *call) misled(resp *http.Response, err error) error {
	e := proto.AnswerError(stageOfRequests, c.address(), resp)
	e.Err = err
	return e
}

// follow leads a request to location: to another origin only if that is allowed, and never
// with a credential.
func (s *Service) follow(c *call, location string) error {
	to, other, err := proto.Redirected(c.url, location, false)
	if err != nil {
		return err
	}
	to = "http" + strings.TrimPrefix(to, "ws") // wss is https
	if other {
		address := ", " + proto.BareAddress(to)
		if c.secret { // which may be a part of it
			address = ""
		}
		switch {
		case c.private:
			return fmt.Errorf("it leads to another origin%s, where the credentials must not go", address)
		case !s.options.Redirects:
			return fmt.Errorf("it leads to another origin%s, which only -L allows", address)
		}
		harmless := http.Header{}
		for _, name := range []string{"User-Agent", "Accept", "Accept-Language", "Content-Type"} {
			if v := c.header.Values(name); len(v) > 0 {
				harmless[name] = v
			}
		}
		c.header = harmless
	}
	c.header = c.header.Clone()
	c.url = to
	return nil
}

// exchange sends a request to the address of a call.
func (s *Service) exchange(ctx context.Context, c *call, method string, body []byte) (*http.Response, []byte, error) {
	u, err := url.Parse(c.url)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, c.error("expected an address of the scheme http or https")
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, c.error("the request cannot be made")
	}
	if body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	req.Header = c.header.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	resp, text, err := proto.Exchange(s.options.Client, req, stageOfRequests, c.address(), 0)
	if e, ok := errors.AsType[*proto.HandshakeError](err); ok && c.secret { // the error of the network may name the host
		hidden := *e
		hidden.Err = errors.New("the request has failed (its address is withheld)")
		return nil, nil, &hidden
	}
	return resp, text, err
}

// content is the body as bytes, with its media type: a string as it is, anything else as
// JSON.
func (c *call) content() (body []byte, kind string, err error) {
	switch v := c.body.(type) {
	case nil:
		return nil, "", nil
	case string:
		return []byte(v), "", nil
	default:
		body, err = eventjson.AppendValue([]byte{}, v)
		return body, "application/json", err
	}
}

// excerpt is the start of an answer, without the credentials of the request.
func (c *call) excerpt(text []byte) string {
	for _, s := range c.secrets {
		if len(s) > 3 {
			text = bytes.ReplaceAll(text, []byte(s), []byte("***"))
		}
	}
	return proto.Excerpt(text)
}

// refusal is the error for an answer that is no success.
func (c *call) refusal(status int, answer map[string]any) error {
	e := &proto.HandshakeError{Stage: stageOfRequests, Address: c.address(), Status: status}
	if text, ok := answer["body"].(string); ok {
		e.Body = c.excerpt([]byte(text))
	} else if b, err := eventjson.AppendValue(nil, answer["body"]); err == nil {
		e.Body = c.excerpt(b)
	}
	return e
}

// answerValue is an answer as expressions see it: {status, header, body}.
func answerValue(resp *http.Response, text []byte) map[string]any {
	header := make(map[string]any, len(resp.Header))
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		header[name] = strings.Join(resp.Header[name], ", ")
	}
	var d eventjson.Decoder
	body, err := d.Decode(text)
	if err != nil {
		body = strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return map[string]any{"status": resp.StatusCode, "header": header, "body": body}
}

// callOf is the request that a rule yields: {method, url, header, body}.
func callOf(e *expr, v any) (call, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return call{}, fmt.Errorf("expected an object with url, method, header and body, not %s", typeOf(v))
	}
	c := call{name: e.name, secret: e.secret, private: e.secret, header: http.Header{}}
	for name, v := range object {
		switch name {
		case "url":
			c.url, ok = v.(string)
		case "method":
			c.method, ok = v.(string)
			ok = ok && methodPattern.MatchString(c.method)
		case "header":
			if v != nil {
				if err := addHeader(c.header, v); err != nil {
					return c, err
				}
			}
			ok = true
		case "body":
			c.body, ok = clone(v), true
		default:
			ok = false
		}
		if !ok {
			return c, fmt.Errorf("the member %s is not what a request has", name)
		}
	}
	if c.url == "" {
		return c, errors.New("the request has no url")
	}
	return c, nil
}
