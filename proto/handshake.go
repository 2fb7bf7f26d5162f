package proto

import (
	"net/http"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/internal/wsconn"
)

// credentialHeaders carry credentials whatever the service.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// handshakeRecord is the record of an opening handshake that x tells of, without
// the credentials of hs.
func handshakeRecord(begun time.Time, hs *Handshake, x *wsconn.Exchange) FrameRecord {
	var r secret.Redactor
	r.Add(hs.Secrets...)
	h := &HandshakeRecord{URL: hs.Address, Header: withheld(x.Asked, &r)}
	if x.Answer != nil {
		h.Status = x.Answer.StatusCode
		h.ResponseHeader = withheld(x.Answer.Header, &r)
		h.Body = r.String(Excerpt(x.Body))
	}
	return FrameRecord{Time: begun, Direction: Out, Handshake: h}
}

// withheld is a copy of h without credentials.
func withheld(h http.Header, r *secret.Redactor) http.Header {
	h = h.Clone()
	for name, values := range h {
		for i, v := range values {
			if slices.Contains(credentialHeaders, http.CanonicalHeaderKey(name)) {
				v = secret.Mask
			}
			values[i] = r.String(v)
		}
	}
	return h
}
