package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hark-cli/hark/commands/ending"
	"github.com/hark-cli/hark/commands/program"
	"github.com/hark-cli/hark/internal/bounded"
	"github.com/hark-cli/hark/internal/cmdline"
	"github.com/hark-cli/hark/internal/credential"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/proto"
)

// TLSFlags configure the check of the server's certificate, and the client certificate.
type TLSFlags struct {
	insecure bool
	cacert   string
	cert     string
	key      string
	pass     string
	pin      string
	min      string
	keylog   bool
	// asked: a server has requested a client certificate.
	asked *atomic.Bool
}

func newTLSFlags() TLSFlags { return TLSFlags{min: "1.2", asked: new(atomic.Bool)} }

func (f *TLSFlags) flags() []*cmdline.Flag {
	return []*cmdline.Flag{
		{Name: "insecure", Essential: true, Aliases: []string{"k"}, Group: program.CatTLS, Value: cmdline.Bool(&f.insecure),
			Usage: "do not check the server's certificate"},
		{Name: "cacert", Group: program.CatTLS, Value: cmdline.String(&f.cacert),
			Usage: "trust only the certificate authorities in `FILE`"},
		{Name: "cert", Group: program.CatTLS, Value: cmdline.String(&f.cert),
			Usage: "client certificate in `FILE`, PEM"},
		{Name: "key", Group: program.CatTLS, Value: cmdline.String(&f.key),
			Usage: "the private key of --cert, `FILE`, PEM; the file of --cert may contain it too"},
		{Name: "pass", Secret: true, Group: program.CatTLS, Value: cmdline.String(&f.pass),
			Usage: "the passphrase of the private key, `SECRET`", Detail: credential.Forms},
		{Name: "pinnedpubkey", Group: program.CatTLS, Value: cmdline.String(&f.pin),
			Usage: "accept only servers with this public key: `sha256//HASH[;…]`", Detail: ", or a file with the key"},
		{Name: "tls-min", Group: program.CatTLS, Value: cmdline.String(&f.min),
			Usage: "the oldest version of TLS: `1.0|1.1|1.2|1.3`"},
		{Name: "tls-keylog", Group: program.CatTLS, Value: cmdline.Bool(&f.keylog),
			Usage: "add the keys of the connection to the file that SSLKEYLOGFILE names, to decrypt a capture"},
	}
}

// configure sets the TLS settings of n.
func (f *TLSFlags) configure(ctx context.Context, line *cmdline.Line, p *program.Program, n *netdial.Network) error {
	version, ok := netdial.TLSVersion(f.min)
	if !ok {
		return cmdline.ValueErrorf(line.GivenAs("tls-min"), f.min, "expected 1.0, 1.1, 1.2 or 1.3")
	}
	config := &tls.Config{MinVersion: version, InsecureSkipVerify: f.insecure}
	var err error
	if f.cacert != "" {
		if config.RootCAs, err = Authorities(ctx, p, line.GivenAs("cacert"), f.cacert); err != nil {
			return err
		}
	}
	if f.pin != "" {
		pins, err := readPins(ctx, p, line.GivenAs("pinnedpubkey"), f.pin)
		if err != nil {
			return err
		}
		config.VerifyConnection = netdial.Pinned(pins)
	}
	if err := f.clientCertificate(ctx, line, p, config); err != nil {
		return err
	}
	path, _ := p.LookupEnv("SSLKEYLOGFILE")
	if as := line.TypedAs("tls-keylog"); f.keylog && path == "" && as != "" {
		return cmdline.Usagef("%s requires the environment variable SSLKEYLOGFILE", as)
	}
	if f.keylog && path != "" {
		if config.KeyLogWriter, err = p.Append(path); err != nil {
			return cmdline.Usagef("SSLKEYLOGFILE: %v", err)
		}
	}
	n.TLS = config
	return nil
}

// Authorities reads a file of certificates in PEM.
func Authorities(ctx context.Context, p *program.Program, as, path string) (*x509.CertPool, error) {
	b, err := p.ReadNamed(ctx, as, path, bounded.Certificates)
	if err != nil {
		return nil, err
	}
	pool := netdial.Authorities(b)
	if pool == nil {
		return nil, cmdline.FlagErrorf(as, ": %s contains no certificate in PEM", path)
	}
	return pool, nil
}

// clientCertificate reads the certificate of --cert, --key and --pass.
func (f *TLSFlags) clientCertificate(ctx context.Context, line *cmdline.Line, p *program.Program, config *tls.Config) error {
	if f.cert == "" {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			f.asked.Store(true)
			return &tls.Certificate{}, nil // none
		}
		for _, flag := range []string{"key", "pass"} {
			if as := line.TypedAs(flag); as != "" {
				return cmdline.Usagef("%s requires --cert", as)
			}
		}
		return nil
	}
	pass, _, err := p.Source("--pass", f.pass)
	if err != nil {
		return err
	}
	c := CertificateFiles{CertAs: "--cert", Cert: f.cert, KeyAs: "--key", Key: f.key, Pass: pass,
		Encrypted: "give its passphrase with --pass: " + credential.Forms}
	pair, err := c.Read(ctx, p)
	if err != nil {
		return err
	}
	// It is always sent: the error of a server that rejects it is clearer than that of
	// one that gets none.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	return nil
}

// CertificateFiles are the files of a client certificate, and the flags that name them.
type CertificateFiles struct {
	CertAs, Cert string
	KeyAs, Key   string            // Key is "" if the private key is in the file of the certificate
	Pass         proto.TokenSource // the passphrase of the private key; nil for none
	Encrypted    string            // what to do when a passphrase is missing
}

// Read reads the certificate. An error names the flag.
func (c CertificateFiles) Read(ctx context.Context, p *program.Program) (*tls.Certificate, error) {
	certPEM, err := p.ReadNamed(ctx, c.CertAs, c.Cert, bounded.Certificates)
	if err != nil {
		return nil, err
	}
	keyAs, keyFile, keyPEM := c.KeyAs, c.Key, []byte(nil)
	if c.Key == "" {
		keyAs, keyFile, keyPEM = c.CertAs, c.Cert, certPEM
	} else if keyPEM, err = p.ReadNamed(ctx, c.KeyAs, c.Key, bounded.Certificates); err != nil {
		return nil, err
	}
	key, err := netdial.PrivateKey(keyPEM, func() ([]byte, error) {
		if c.Pass == nil {
			return nil, netdial.ErrEncrypted
		}
		v, err := c.Pass(ctx)
		return []byte(v.Reveal()), err
	})
	if program.Interrupts(err) {
		return nil, program.CredentialFailure(err)
	}
	if err != nil {
		u := cmdline.FlagErrorf(keyAs, ": %s: %v", keyFile, err)
		if errors.Is(err, netdial.ErrEncrypted) {
			u.Advice = c.Encrypted
		} else if errors.Is(err, netdial.ErrNoKey) && c.Key == "" {
			u.Advice = "give the file of the private key with " + c.KeyAs
		}
		return nil, u
	}
	pair, err := tls.X509KeyPair(certPEM, key)
	if err != nil {
		return nil, cmdline.FlagErrorf(c.CertAs, ": %s: %s", c.Cert, strings.TrimPrefix(err.Error(), "tls: "))
	}
	if pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter) {
		p.Warn("the client certificate of %s expired on %s", c.CertAs, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &pair, nil
}

// readPins parses hashes, or reads the hash of a public key in a file.
func readPins(ctx context.Context, p *program.Program, as, text string) ([]netdial.Pin, error) {
	if netdial.IsPin(text) {
		pins, err := netdial.ParsePins(text)
		if err != nil {
			return nil, badItem(as, err)
		}
		return pins, nil
	}
	b, err := p.ReadNamed(ctx, as+": expected sha256//HASH or a file", text, bounded.Certificates)
	if u, ok := errors.AsType[*cmdline.UsageError](err); ok {
		u.As = as
	}
	if err != nil {
		return nil, err
	}
	pin, err := netdial.PinOf(b)
	if errors.Is(err, netdial.ErrNoPublicKey) {
		return nil, cmdline.FlagErrorf(as, ": %s contains no public key", text)
	} else if err != nil {
		return nil, cmdline.FlagErrorf(as, ": %s: %v", text, err)
	}
	return []netdial.Pin{pin}, nil
}

// Hint returns the hint for a failure of TLS.
func (f *TLSFlags) Hint(err error) string {
	h, ok := errors.AsType[*proto.HandshakeError](err)
	if !ok {
		return ""
	}
	if h.Status == 400 && strings.Contains(h.Body, "SSL certificate") { // the message of nginx
		if f.cert == "" {
			return "the server requires a client certificate: --cert FILE --key FILE"
		}
		return "the server did not accept the client certificate of --cert"
	}
	if h.Status == 0 && h.Stage == netdial.StageUpgrade && f.asked.Load() {
		// With TLS 1.3 the refusal is sent after the handshake, and can get lost.
		return "the server asked for a client certificate: --cert FILE --key FILE"
	}
	if h.Stage != netdial.StageTLS {
		return ""
	}
	if ca, ok := errors.AsType[x509.CertificateInvalidError](err); ok && ca.Reason == x509.Expired {
		if ca.Cert != nil && time.Now().Before(ca.Cert.NotBefore) {
			return "the certificate is not yet valid: check this machine's clock"
		}
		return "the server's operator has to renew the certificate; check this machine's clock too; -k does not check certificates"
	}
	if he, ok := errors.AsType[x509.HostnameError](err); ok {
		if names := he.Certificate.DNSNames; len(names) > 0 {
			return "the certificate is for " + strings.Join(names[:min(3, len(names))], ", ") +
				": use that name in the address, with --connect-to or --resolve if it leads elsewhere"
		}
		return "the certificate names another host; use the name that it is for"
	}
	if ending.Is[x509.UnknownAuthorityError](err) {
		return "--cacert FILE trusts the authority that signed the certificate; -k does not check certificates"
	}
	if ending.Is[*netdial.PinError](err) {
		return "if the server has a new key and you have that from its operator, change --pinnedpubkey"
	}
	return f.alertHint(netdial.AlertOf(err))
}

func (f *TLSFlags) alertHint(alert netdial.Alert) string {
	switch alert {
	case netdial.AlertCertificateRequired:
		return "the server requires a client certificate: --cert FILE --key FILE"
	case netdial.AlertBadCertificate, netdial.AlertUnsupported, netdial.AlertRevoked, netdial.AlertExpired, netdial.AlertCertificateUnknown, netdial.AlertUnknownCA, netdial.AlertAccessDenied:
		if f.cert == "" {
			return "the server may require a client certificate: --cert FILE --key FILE"
		}
		return "the server did not accept the client certificate of --cert; another authority may have to sign it"
	case netdial.AlertProtocolVersion:
		return "the server speaks only older versions of TLS: --tls-min 1.0 allows them"
	case netdial.AlertHandshakeFailure:
		if f.cert == "" {
			return "the server may require a client certificate: --cert FILE --key FILE; or client and server have no cipher in common"
		}
		return "the server may not accept the client certificate of --cert; or client and server have no cipher in common"
	}
	return ""
}
