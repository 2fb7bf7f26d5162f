package netdial

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// passphrase returns a function that returns text.
func passphrase(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

// Keys encrypted by openssl are read, with all its algorithms.
func TestPrivateKeyOfOpenssl(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl")
	}
	der, err := x509.MarshalPKCS8PrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	want := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, options := range []string{
		"", // the default
		"-v2 aes-128-cbc", "-v2 aes-192-cbc", "-v2 aes-256-cbc", "-v2 des3",
		"-v2 aes-256-cbc -v2prf hmacWithSHA1", "-v2 aes-256-cbc -v2prf hmacWithSHA256",
		"-v2 aes-256-cbc -v2prf hmacWithSHA384", "-v2 aes-256-cbc -v2prf hmacWithSHA512",
		"-v2 aes-256-cbc -iter 100000", "-scrypt",
	} {
		cmd := exec.Command(openssl, append([]string{"pkcs8", "-topk8", "-passout", "pass:over-the-hills"}, strings.Fields(options)...)...)
		cmd.Stdin = bytes.NewReader(want)
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl pkcs8 %s: %v", options, err)
		}
		if got, err := PrivateKey(text, passphrase("over-the-hills")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %v", options, err)
		}
		if _, err := PrivateKey(text, passphrase("far-away")); !errors.Is(err, errWrongPassphrase) {
			t.Errorf("%q with a wrong passphrase: %v", options, err)
		}
	}
}

// Parameters in a file are checked, and no message is the library's.
func TestDecryptPKCS8(t *testing.T) {
	registerPKCS8()
	encrypt := func(o pkcs8.Opts) []byte {
		der, err := pkcs8.MarshalPrivateKey(newKey(t), []byte("x"), &o)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	aes := encrypt(pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 1, HMACHash: crypto.SHA256}})
	scrypt := encrypt(pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 8, CostParameter: 2, BlockSize: 1, ParallelizationParameter: 3}})
	// change replaces the only occurrence of the encoding of a value in der.
	change := func(der []byte, from, to any) []byte {
		old, err := asn1.Marshal(from)
		if err != nil {
			t.Fatal(err)
		}
		text, err := asn1.Marshal(to)
		if err != nil || len(text) != len(old) || bytes.Count(der, old) != 1 {
			t.Fatalf("%v: %x is in %x %d times, and not as long as %x", err, old, der, bytes.Count(der, old), text)
		}
		return bytes.Replace(der, old, text, 1)
	}
	oid := func(numbers ...int) asn1.ObjectIdentifier { return numbers }
	for _, tt := range []struct {
		name string
		der  []byte
		want error
	}{
		{"AES", aes, nil},
		{"scrypt", scrypt, nil},
		{"no iterations", change(aes, 1, 0), errUnreadable},
		{"no cost", change(scrypt, 2, 0), errUnreadable},
		{"another cipher's block", change(aes, pkcs8.AES256CBC.OID(), pkcs8.AES256GCM.OID()), errUnknownCipher},
		{"an unknown cipher", change(aes, pkcs8.AES256CBC.OID(), oid(2, 16, 840, 1, 101, 3, 4, 1, 43)), errUnknownCipher},
		{"an unknown hash", change(aes, oid(1, 2, 840, 113549, 2, 9), oid(1, 2, 840, 113549, 2, 12)), errUnknownCipher},
		{"not PBES2", change(aes, oid(1, 2, 840, 113549, 1, 5, 13), oid(1, 2, 840, 113549, 1, 5, 3)), errUnknownCipher},
		{"cut off", aes[:len(aes)-1], errUnknownCipher},
		{"nothing", nil, errUnknownCipher},
	} {
		key, err := decryptPKCS8(tt.der, []byte("x"))
		if !errors.Is(err, tt.want) || (err == nil) != (len(key) > 0) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, p := range []scryptParams{
		{Cost: 1 << 25, BlockSize: 8, Parallelization: 1},
		{Cost: 1 << 20, BlockSize: 1 << 10, Parallelization: 1},
		{Cost: 1 << 14, BlockSize: 8, Parallelization: 1 << 20},
		{Cost: 1<<63 - 1, BlockSize: 1<<63 - 1, Parallelization: 1<<63 - 1},
		{Cost: 3, BlockSize: 8, Parallelization: 1}, // not a power of two
	} {
		if _, err := p.DeriveKey([]byte("x"), 32); !errors.Is(err, errUnreadable) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, err := (pbkdf2Params{Iterations: maxIterations + 1}).DeriveKey([]byte("x"), 32); !errors.Is(err, errUnreadable) {
		t.Errorf("too many iterations: %v", err)
	}
}

// Reading the file of an encrypted key terminates, whatever its content.
func FuzzDecryptPKCS8(f *testing.F) {
	for _, kdf := range []pkcs8.KDFOpts{
		pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 1, HMACHash: crypto.SHA256},
		pkcs8.ScryptOpts{SaltSize: 8, CostParameter: 2, BlockSize: 1, ParallelizationParameter: 1},
	} {
		der, err := pkcs8.MarshalPrivateKey(newKey(f), []byte("x"), &pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: kdf})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if key, err := decryptPKCS8(der, []byte("x")); err == nil && len(key) == 0 {
			t.Error("a key without bytes")
		}
	})
}
