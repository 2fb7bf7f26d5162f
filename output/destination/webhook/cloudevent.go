package webhook

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/hark-cli/hark/output/destination"
)

// binaryMode takes a CloudEvent apart: its attributes go into header, its data is the
// body (CloudEvents HTTP binding 1.0.2, section 3.1).
func binaryMode(data []byte, header http.Header) (body []byte, contentType string) {
	attributes, body, contentType := destination.BinaryMode(data)
	for name, text := range attributes {
		header.Set("Ce-"+name, printable(text))
	}
	return body, contentType
}

// printable returns text as the value of a header (CloudEvents HTTP binding 1.0.2,
// section 3.1.3.2): whatever is not printable ASCII is percent-encoded, as are
// the space, the quote and the percent sign.
func printable(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
