package netdial

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// wireName is how the name of a header is written on the wire. net/http has one
// canonical form for all, but RFC 6455 writes Sec-WebSocket-Key, and there are
// servers that do not take any other spelling. typed has the names that the user
// gave, by their canonical form.
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
// another spelling, it would not find them, or write its own alongside them.
var interpreted = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "Idempotency-Key", "Range",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "X-Idempotency-Key",
}

// onTheWire is req as it is sent: with the names of headers as they are written and
// the host name in ASCII. It is made in the last step, because everything before
// that, what withholds credentials above all, looks headers up by their canonical
// names.
func onTheWire(req *http.Request, typed map[string]string) *http.Request {
	header := make(http.Header, len(req.Header)+1)
	for name, values := range req.Header {
		as := wireName(name, typed)
		if slices.Contains(interpreted, name) {
			as = name
		}
		header[as] = append(header[as], values...)
		if name == "User-Agent" && as != name {
			header[name] = []string{""} // or net/http would add its own
		}
	}
	out := *req
	out.Header = header
	if host := HostHeader(req); host != "" {
		out.Host = host
	}
	return &out
}

// EncodeQuery is an address with the characters of its query percent-encoded that
// must not stand there (RFC 3986, section 3.4), as browsers do it (WHATWG URL, "query
// percent-encode set"). What is encoded already stays, and so do characters such as
// [ and ] that servers are used to. A path is encoded by net/url.
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

// HostHeader returns the value of the Host header of a request, an internationalized domain
// name in the form of IDNA 2008 that the name is looked up by. net/http encodes it without
// mapping, so that upper-case letters make another name.
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
		return host // in ASCII already, or the resolver will complain
	case port != "":
		return net.JoinHostPort(ascii, port)
	}
	return ascii
}
