package netdial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
)

// TLSVersion returns the number of a version of TLS such as "1.2".
func TLSVersion(name string) (version uint16, known bool) {
	version, known = map[string]uint16{
		"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
	}[name]
	return version, known
}

// Authorities returns the certificates in PEM text, nil if there are none.
func Authorities(text []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil
	}
	return pool
}

// A Pin is the SHA-256 hash of a public key as encoded in a certificate; curl writes it
// as sha256// and base64.
type Pin [sha256.Size]byte

func (p Pin) String() string { return pinPrefix + base64.StdEncoding.EncodeToString(p[:]) }

const pinPrefix = "sha256//"

// IsPin reports whether text has the form of pins rather than the name of a file.
func IsPin(text string) bool { return strings.HasPrefix(text, pinPrefix) }

// ParsePins parses pins separated by semicolons. The error is an *ItemError.
func ParsePins(text string) (pins []Pin, err error) {
	for item := range strings.SplitSeq(text, ";") {
		hash, ok := strings.CutPrefix(strings.TrimSpace(item), pinPrefix)
		b, err := base64.StdEncoding.DecodeString(hash)
		if !ok || err != nil || len(b) != sha256.Size {
			return nil, &ItemError{Item: item, Problem: "expected sha256// and the hash of the public key in base64, 44 characters"}
		}
		pins = append(pins, Pin(b))
	}
	return pins, nil
}

// ErrNoPublicKey means that there is no public key in a file.
var ErrNoPublicKey = errors.New("there is no public key")

// PinOf returns the pin of a public key, or of a certificate, in PEM or DER.
func PinOf(b []byte) (Pin, error) {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
		if block.Type == "CERTIFICATE" {
			cert, err := x509.ParseCertificate(b)
			if err != nil {
				return Pin{}, err
			}
			b = cert.RawSubjectPublicKeyInfo
		}
	}
	if _, err := x509.ParsePKIXPublicKey(b); err != nil {
		return Pin{}, ErrNoPublicKey
	}
	return sha256.Sum256(b), nil
}

// A PinError reports a server whose public key is not one of the pins.
type PinError struct{ Got Pin }

func (e *PinError) Error() string {
	return "the server's public key is not the one of --pinnedpubkey; it is " + e.Got.String()
}

// Pinned returns the VerifyConnection of a tls.Config that accepts only servers with one
// of the pins.
func Pinned(pins []Pin) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server showed no certificate")
		}
		got := Pin(sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo))
		if slices.Contains(pins, got) {
			return nil
		}
		return &PinError{got}
	}
}

// An Alert is a TLS alert (RFC 8446, section 6.2).
type Alert uint8

// Alerts by which servers refuse a client's certificate.
const (
	AlertHandshakeFailure    Alert = 40
	AlertBadCertificate      Alert = 42
	AlertUnsupported         Alert = 43
	AlertRevoked             Alert = 44
	AlertExpired             Alert = 45
	AlertCertificateUnknown  Alert = 46
	AlertUnknownCA           Alert = 48
	AlertAccessDenied        Alert = 49
	AlertProtocolVersion     Alert = 70
	AlertCertificateRequired Alert = 116
)

// AlertOf returns the alert that a server has sent, 0 for none. crypto/tls has it in a
// type that is not exported.
func AlertOf(err error) Alert {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
			return Alert(v.Uint())
		}
	}
	return 0
}
