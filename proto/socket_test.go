package proto_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	drogueemu "github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/secret"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/hark-cli/hark/proto/plain"
	"github.com/hark-cli/hark/proto/prototest"
)

// tlsEmulator is a Drogue Cloud behind TLS on a real port.
func tlsEmulator(t *testing.T) (*httptest.Server, *drogue.Service) {
	t.Helper()
	opts := byDefault()
	opts.Rate = 100
	e, err := opts.start("drogue")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(e)
	t.Cleanup(func() {
		e.Close()
		server.Close()
	})
	tok, err := drogueemu.Token(server.URL, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return server, &drogue.Service{
		Endpoint: server.URL + "/drogue", Application: "demo-app",
		Token: prototest.StaticToken(secret.Value(tok)),
	}
}

func TestTLS(t *testing.T) {
	server, svc := tlsEmulator(t)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	o := proto.DefaultOptions()
	o.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	if err := proto.Run(t.Context(), svc, &prototest.Tally{T: t, Limit: 20}, o); !errors.Is(err, prototest.ErrEnough) {
		t.Errorf("Run: %v", err)
	}
}

func TestTLSFailures(t *testing.T) {
	server, svc := tlsEmulator(t)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, tt := range map[string]struct {
		config *tls.Config
		text   string
	}{
		"unknown authority": {&tls.Config{}, "certificate signed by unknown authority"},
		"wrong name":        {&tls.Config{RootCAs: roots, ServerName: "other.invalid"}, "not other.invalid"},
		"old version":       {&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			o := proto.DefaultOptions()
			o.Transport = &http.Transport{TLSClientConfig: tt.config}
			err := proto.Run(t.Context(), svc, &prototest.Tally{T: t}, o)
			f, ok := errors.AsType[*proto.Failure](err)
			if !ok || f.Class != proto.Unreachable || !strings.HasPrefix(err.Error(), "tls wss://127.0.0.1:") || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// A server that accepts the connection and sends nothing causes the connect timeout.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := proto.DefaultOptions()
	o.Retries = 0
	o.ConnectTimeout = 100 * time.Millisecond
	err = proto.Run(t.Context(), &plain.Service{URL: "ws://" + l.Addr().String()}, &prototest.Tally{T: t}, o)
	if f, ok := errors.AsType[*proto.Failure](err); !ok || f.Connected || !strings.Contains(err.Error(), "no connection within 100ms") {
		t.Errorf("Run: %v", err)
	}
}
