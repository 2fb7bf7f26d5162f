package proto

import (
	"net/http"
	"slices"
	"time"

	"github.com/hark-cli/hark/internal/secret"
)

// credentialHeaders carry credentials whatever the service.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// handshakeRecord is the record of an opening handshake that t has seen, without
// the credentials of hs.
func handshakeRecord(begun time.Time, hs *Handshake, t *tapper) FrameRecord {
	var r secret.Redactor
	r.Add(hs.Secrets...)
	h := &HandshakeRecord{URL: hs.Address, Header: withheld(t.asked, &r)}
	if t.got != nil {
		h.Status = t.got.StatusCode
		h.ResponseHeader = withheld(t.got.Header, &r)
		h.Body = r.String(excerpt(t.body))
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
