package nats

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/hark-cli/hark/internal/natstest"
	"github.com/hark-cli/hark/output/destination"
	"github.com/hark-cli/hark/proto"
)

// connect opens a connection of the test's own.
func connect(t *testing.T, s *natstest.Server, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect("nats://"+s.Address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	stream, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// create makes a stream.
func create(t *testing.T, js jetstream.JetStream, config jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	stream, err := js.CreateStream(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// stored returns the messages of a stream.
func stored(t *testing.T, stream jetstream.Stream) (list []*jetstream.RawStreamMsg) {
	t.Helper()
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := info.State.FirstSeq; n <= info.State.LastSeq; n++ {
		m, err := stream.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// texts are what messages contain, with their subjects.
func texts(list []*jetstream.RawStreamMsg) (texts []string) {
	for _, m := range list {
		texts = append(texts, m.Subject+" "+string(m.Data))
	}
	return texts
}

// open returns a destination, which the test closes at its end.
func open(t *testing.T, o Options) *Destination {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// deliver makes one attempt for records.
func deliver(d *Destination, records ...destination.Record) []error {
	results := make([]error, len(records))
	d.Deliver(context.Background(), records, results)
	return results
}

// kindOf names the kind of a result.
func kindOf(err error) string {
	if err == nil {
		return "delivered"
	}
	if errors.Is(err, destination.ErrNotTried) {
		return "not tried"
	}
	if _, ok := errors.AsType[*destination.RefusedError](err); ok {
		return "refused"
	}
	if _, ok := errors.AsType[*destination.FatalError](err); ok {
		return "fatal"
	}
	if _, ok := errors.AsType[*destination.TransientError](err); ok {
		return "transient"
	}
	return "unknown"
}

// expect checks a result.
func expect(t *testing.T, name string, err error, kind, text string) {
	t.Helper()
	if got := kindOf(err); got != kind || err != nil && (!strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "nats:")) {
		t.Errorf("%s: %s, %v; want %s, %q", name, got, err, kind, text)
	}
}

func TestDeliver(t *testing.T) {
	s := natstest.New(t, "max_payload: 2000\n")
	js := connect(t, s)
	stream := create(t, js, jetstream.StreamConfig{Name: "events", Subjects: []string{"a.>"}, MaxMsgSize: 1000})
	d := open(t, Options{Servers: []string{s.Address}})

	// The id is the one by which repeats are dropped; without one, nothing is.
	for range 2 {
		for _, r := range []destination.Record{
			{ID: "1", To: "a.x", Data: []byte(`{"n":1}`)},
			{To: "a.x", Data: []byte(`{"n":2}`)},
			{ID: "a\nb", To: "a.y", Data: []byte(`{"specversion":"1.0"}`), CloudEvent: true},
			{ID: "a b", To: "a.y", Data: []byte(`{"n":4}`)},
		} {
			expect(t, r.ID, deliver(d, r)[0], "delivered", "")
		}
	}
	got := stored(t, stream)
	if want := []string{`a.x {"n":1}`, `a.x {"n":2}`, `a.y {"specversion":"1.0"}`, `a.y {"n":4}`, `a.x {"n":2}`}; !slices.Equal(texts(got), want) {
		t.Fatalf("stored %q, want %q", texts(got), want)
	}
	for i, want := range []string{"1 application/json", " application/json", "a%0Ab application/cloudevents+json", "a b application/json"} {
		if h := got[i].Header; h.Get("Nats-Msg-Id")+" "+h.Get("Content-Type") != want {
			t.Errorf("%d: %v, want %s", i, h, want)
		}
	}

	large := []byte(strings.Repeat("x", 1500))
	for _, tt := range []struct {
		name string
		r    destination.Record
		kind string
		text string
	}{
		{"no stream", destination.Record{To: "b", Data: []byte("1")}, "transient", `no stream of JetStream takes the subject "b"`},
		{"too large for the stream", destination.Record{To: "a.x", Data: large}, "refused", "message size exceeds maximum allowed"},
		{"too large for the server", destination.Record{To: "a.x", Data: append(large, large...)}, "refused", "larger than the server accepts"},
		{"wildcard", destination.Record{To: "a.*", Data: []byte("1")}, "refused", "wildcards"},
		{"space", destination.Record{To: "a.b c", Data: []byte("1")}, "refused", "space"},
		{"the server's", destination.Record{To: "$JS.API.STREAM.DELETE.events"}, "refused", "the server's"},
	} {
		expect(t, tt.name, deliver(d, tt.r)[0], tt.kind, tt.text)
	}

	// What follows a failure on the same subject waits for it, others do not.
	results := deliver(d, destination.Record{To: "a.p", Data: []byte("1")}, destination.Record{To: "b", Data: []byte("1")},
		destination.Record{To: "a.p", Data: []byte("2")}, destination.Record{To: "b", Data: []byte("2")})
	for i, want := range []string{"delivered", "transient", "delivered", "not tried"} {
		if kindOf(results[i]) != want {
			t.Errorf("%d: %v, want %s", i, results[i], want)
		}
	}
	if got := texts(stored(t, stream)); !slices.Equal(got[len(got)-2:], []string{"a.p 1", "a.p 2"}) {
		t.Errorf("stored %q", got)
	}
}

// A server that does not answer ends neither the attempt's context nor the order: the next
// attempt has a connection of its own.
func TestNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := open(t, Options{Servers: []string{l.Addr().String()}, Subject: "a", Timeout: 50 * time.Millisecond})
	expect(t, "silent server", deliver(d, destination.Record{})[0], "transient", "no connection within 50ms")

	s := natstest.New(t, "")
	conn, err := nats.Connect("nats://" + s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	heard := make(chan struct{}, 2)
	if _, err := conn.Subscribe("a", func(*nats.Msg) { heard <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	d = open(t, Options{Servers: []string{s.Address}, Subject: "a", Timeout: time.Second})
	expect(t, "no acknowledgment", deliver(d, destination.Record{})[0], "transient", "no acknowledgment within 1s")
	<-heard

	d = open(t, Options{Servers: []string{s.Address}, Subject: "a", Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	results := make([]error, 1)
	done := make(chan struct{})
	go func() { d.Deliver(ctx, make([]destination.Record, 1), results); close(done) }()
	<-heard
	cancel()
	<-done
	if results[0] == nil {
		t.Error("delivered, without an acknowledgment")
	}

	if _, err := conn.Subscribe("b", func(m *nats.Msg) { _ = m.Respond([]byte("thanks")) }); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	d = open(t, Options{Servers: []string{s.Address}, Subject: "b"})
	expect(t, "another answer", deliver(d, destination.Record{})[0], "refused", "is not from JetStream")
}

// While the server is away, records wait. Afterwards each has arrived, once and in order.
func TestServerAway(t *testing.T) {
	s := natstest.New(t, "")
	js := connect(t, s, nats.MaxReconnects(-1))
	create(t, js, jetstream.StreamConfig{Name: "events", Subjects: []string{"a"}})
	d := open(t, Options{Servers: []string{s.Address}, Subject: "a"})
	stopped := make(chan struct{})
	var once bool
	v := destination.New(d, destination.Options{
		Name: "nats", Backoff: proto.Backoff{Base: time.Millisecond, Max: time.Millisecond},
		Retrying: func(error, time.Duration) {
			if !once {
				once = true
				<-stopped
				s.Start()
			}
		},
	})
	var want []string
	for n := range 20 {
		if n == 10 {
			s.Stop()
			close(stopped)
		}
		data := fmt.Sprint(n)
		want = append(want, "a "+data)
		if err := v.Submit(destination.Record{ID: data, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Finish(time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	stream, err := connect(t, s).Stream(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(stored(t, stream)); !slices.Equal(got, want) {
		t.Errorf("stored %q", got)
	}
}

func TestPermissions(t *testing.T) {
	s := natstest.New(t, `authorization { users: [
		{ user: all, password: s3cret }
		{ user: some, password: s3cret, permissions: { publish: { allow: ["a"] } } }
		{ user: deaf, password: s3cret, permissions: { subscribe: { deny: ["_INBOX.>"] } } }
	] }`)
	js := connect(t, s, nats.UserInfo("all", "s3cret"))
	stream := create(t, js, jetstream.StreamConfig{Name: "events", Subjects: []string{"a", "b"}})
	at := func(user, password string) *Destination {
		return open(t, Options{Servers: []string{s.Address}, Subject: "a", User: user, Password: password})
	}
	expect(t, "wrong password", deliver(at("all", "hunter2"), destination.Record{})[0], "fatal", "the server refused the credentials")
	expect(t, "no password", deliver(at("", ""), destination.Record{})[0], "fatal", "the server refused the credentials")
	expect(t, "no inbox", deliver(at("deaf", "s3cret"), destination.Record{Data: []byte("0")})[0], "fatal", "no permission to subscribe")
	results := deliver(at("some", "s3cret"), destination.Record{Data: []byte("1")}, destination.Record{To: "b", Data: []byte("2")})
	expect(t, "allowed", results[0], "delivered", "")
	expect(t, "denied", results[1], "refused", `no permission to publish to the subject "b"`)
	if got := texts(stored(t, stream)); slices.Contains(got, "b 2") || !slices.Contains(got, "a 1") {
		t.Errorf("stored %q", got)
	}
}

func TestToken(t *testing.T) {
	s := natstest.New(t, `authorization { token: s3cret }`)
	create(t, connect(t, s, nats.Token("s3cret")), jetstream.StreamConfig{Name: "events", Subjects: []string{"a"}})
	o := Options{Servers: []string{s.Address}, Subject: "a", Token: "s3cret"}
	expect(t, "token", deliver(open(t, o), destination.Record{})[0], "delivered", "")
	o.Token = "hunter2"
	expect(t, "wrong token", deliver(open(t, o), destination.Record{})[0], "fatal", "the server refused the credentials")
}

func TestTLS(t *testing.T) {
	folder := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := natstest.New(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q }", filepath.ToSlash(filepath.Join(folder, "cert")), filepath.ToSlash(filepath.Join(folder, "key"))))
	o := Options{Servers: []string{s.Address}, Subject: "a"}
	expect(t, "untrusted", deliver(open(t, o), destination.Record{})[0], "transient", "certificate signed by unknown authority")
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	o.TLS = &tls.Config{RootCAs: roots}
	create(t, connect(t, s, nats.Secure(o.TLS.Clone())), jetstream.StreamConfig{Name: "events", Subjects: []string{"a"}})
	expect(t, "trusted", deliver(open(t, o), destination.Record{})[0], "delivered", "")

	o = Options{Servers: []string{natstest.New(t, "").Address}, Subject: "a", Secure: true}
	expect(t, "no TLS", deliver(open(t, o), destination.Record{})[0], "fatal", "does not offer TLS")
}

// signed returns a JWT of NATS, signed by a key.
func signed(t *testing.T, by nkeys.KeyPair, subject, name string, claims map[string]any) string {
	t.Helper()
	issuer, err := by.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	claims["version"] = 2
	text := encode(map[string]any{"typ": "JWT", "alg": "ed25519-nkey"}) + "." +
		encode(map[string]any{"jti": name, "iat": time.Now().Unix(), "iss": issuer, "sub": subject, "name": name, "nats": claims})
	signature, err := by.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// A .creds file has a JWT and the seed of the key that it is for.
func TestCredentials(t *testing.T) {
	pair := func(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		k, err := create()
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return k, public
	}
	operator, operatorID := pair(nkeys.CreateOperator)
	account, accountID := pair(nkeys.CreateAccount)
	_, systemID := pair(nkeys.CreateAccount)
	user, userID := pair(nkeys.CreateUser)
	limits := map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
		"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
	s := natstest.New(t, fmt.Sprintf("operator: %q\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %q, %s: %q }",
		signed(t, operator, operatorID, "operator", map[string]any{"type": "operator"}), systemID,
		accountID, signed(t, operator, accountID, "account", map[string]any{"type": "account", "limits": limits}),
		systemID, signed(t, operator, systemID, "system", map[string]any{"type": "account", "limits": map[string]any{"subs": -1, "data": -1, "payload": -1, "conn": -1, "leaf": -1}})))
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file := func(by nkeys.KeyPair) []byte {
		return fmt.Appendf(nil, "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n",
			signed(t, by, userID, "user", map[string]any{"type": "user", "subs": -1, "data": -1, "payload": -1}), seed)
	}
	o := Options{Servers: []string{s.Address}, Subject: "a", Credentials: file(account)}
	create(t, connect(t, s, nats.UserCredentialBytes(o.Credentials)), jetstream.StreamConfig{Name: "events", Subjects: []string{"a"}})
	expect(t, "creds", deliver(open(t, o), destination.Record{})[0], "delivered", "")
	stranger, _ := pair(nkeys.CreateAccount)
	o.Credentials = file(stranger)
	expect(t, "creds of another account", deliver(open(t, o), destination.Record{})[0], "fatal", "the server refused the credentials")
	o.Credentials = []byte("s3cret")
	if _, err := New(o); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("no creds: %v", err)
	}
}
