package netdial

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// wireName returns the spelling of the name of a header in a request. net/http has one
// canonical form for all, but RFC 6455 has Sec-WebSocket-Key, and some servers accept
// no other spelling. typed has the names that the user gave, by their canonical form.
func wireName(name string, typed map[string]string) string {
	if as, ok := typed[name]; ok {
		return as
	}
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		return "Sec-WebSocket-" + rest
	}
	return name
}

// interpreted are the headers that net/http looks up by their canonical names. In
// another spelling, it would not find them, or add its own.
var interpreted = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "Idempotency-Key", "Range",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "X-Idempotency-Key",
}

// onTheWire returns req as it is sent: with the spelling of header names, and the host
// name in ASCII. It is called last, because all other code, in particular the removal
// of credentials, looks headers up by their canonical names.
func onTheWire(req *http.Request, typed map[string]string) *http.Request {
	header := make(http.Header, len(req.Header)+1)
	for name, values := range req.Header {
		as := wireName(name, typed)
		if slices.Contains(interpreted, name) {
			as = name
		}
		header[as] = append(header[as], values...)
		if name == "User-Agent" && as != name {
			header[name] = []string{""} // otherwise net/http adds its own
		}
	}
	out := *req
	out.Header = header
	if host := HostHeader(req); host != "" {
		out.Host = host
	}
	return &out
}

// EncodeQuery returns an address with the characters of its query percent-encoded that
// are not allowed there (RFC 3986, section 3.4), as browsers do it (WHATWG URL, "query
// percent-encode set"). Characters that are encoded already are not changed, nor are
// characters such as [ and ] that servers accept. A path is encoded by net/url.
func EncodeQuery(address string) string {
	before, query, ok := strings.Cut(address, "?")
	if !ok {
		return address
	}
	var b strings.Builder
	b.WriteString(before + "?")
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"#<>'`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// HostHeader returns the value of the Host header of a request, an internationalized
// domain name in the form of IDNA 2008 that the name is looked up by. net/http encodes
// it without mapping, so that upper-case letters result in another name.
func HostHeader(req *http.Request) string {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, ""
	}
	ascii, err := idna.Lookup.ToASCII(name)
	switch {
	case err != nil, strings.EqualFold(ascii, name):
		return host // in ASCII already, or the resolver will return an error
	case port != "":
		return net.JoinHostPort(ascii, port)
	}
	return ascii
}
