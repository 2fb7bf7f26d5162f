//go:build unix

package commands

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate returns a certificate, signed by a, or self-signed if a is nil.
func (a *authority) certificate(name string, change func(*x509.Certificate)) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(30*24*time.Hour + time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(c)
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

func (a *authority) write(name string) error {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
}

// makeCertificates writes NAME.pem and NAME.key for all that scripts need into the
// current folder.
func makeCertificates() (map[string]*authority, error) {
	isCA := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	server := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = []string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}
			if name != "localhost" {
				c.IPAddresses = nil
			}
		}
	}
	plain := func(*x509.Certificate) {}
	made := make(map[string]*authority)
	for _, m := range []struct {
		name, by string
		change   func(*x509.Certificate)
	}{
		{"ca", "", isCA}, {"other-ca", "", isCA},
		{"good", "ca", server("localhost")},
		{"wrong-name", "ca", server("elsewhere.example")},
		{"unknown-ca", "other-ca", server("localhost")},
		{"expired", "ca", func(c *x509.Certificate) {
			server("localhost")(c)
			c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)
		}},
		{"client", "ca", plain}, {"other-client", "other-ca", plain},
	} {
		a, err := made[m.by].certificate(m.name, m.change)
		if err == nil {
			err = a.write(m.name)
		}
		if err != nil {
			return nil, err
		}
		made[m.name] = a
	}
	return made, nil
}

// serveTLS is the command tls-server of scripts: emulators behind TLS, one for each
// kind of failure, on ports that it prints as NAME=PORT.
func serveTLS() int {
	made, err := makeCertificates()
	if err != nil {
		log.Print(err)
		return 1
	}
	opts := emulator.DefaultOptions()
	opts.Rate = 50
	e, err := services().Emulators().New(opts)
	if err != nil {
		log.Print(err)
		return 1
	}
	clients := x509.NewCertPool()
	clients.AddCert(made["ca"].cert)
	failed := make(chan error)
	for _, s := range []struct {
		name, cert string
		change     func(*tls.Config)
	}{
		{"GOOD", "good", nil}, {"EXPIRED", "expired", nil}, {"WRONG_NAME", "wrong-name", nil}, {"UNKNOWN_CA", "unknown-ca", nil},
		{"CLIENT", "good", func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients }},
		{"CLIENT12", "good", func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, clients, tls.VersionTLS12
		}},
		{"OLD", "good", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
	} {
		config := &tls.Config{Certificates: []tls.Certificate{{
			Certificate: [][]byte{made[s.cert].cert.Raw}, PrivateKey: made[s.cert].key,
		}}}
		if s.change != nil {
			s.change(config)
		}
		l, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			log.Print(err)
			return 1
		}
		go func() { failed <- (&http.Server{Handler: e, ErrorLog: log.New(os.Stderr, "", 0)}).Serve(l) }()
		fmt.Printf("%s=%d\n", s.name, l.Addr().(*net.TCPAddr).Port)
	}
	// There is never a response there: the system accepts connections on behalf of the
	// listener.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer mute.Close()
	fmt.Printf("MUTE=%d\n", mute.Addr().(*net.TCPAddr).Port)
	fmt.Println("DONE=1")
	log.Print(<-failed)
	return 1
}
