package netdial

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
	"sync"

	"github.com/youmark/pkcs8"
)

// Private keys encrypted with a passphrase, as written by "openssl genpkey -aes256":
// PKCS #8 (RFC 5958) with PBES2 (RFC 8018, section 6.2), which is not in the standard
// library.
//
// youmark/pkcs8 panics for lengths that do not fit the cipher, has no limit for the
// cost in the file, supports neither SHA-384 nor SHA-512, and decrypts GCM as CBC.
// Ciphers and key derivations can be registered with it, so those below wrap its own,
// and return distinct errors.

var (
	errWrongPassphrase = errors.New("the passphrase is wrong")
	errUnreadable      = errors.New("the encrypted private key cannot be read")
	errUnknownCipher   = errors.New("the private key is encrypted in a way that is not known; convert it with 'openssl pkcs8 -topk8 -v2 aes256'")
	errUnknownKey      = errors.New("the private key is of a kind that is not known")
)

// Limits of the time and memory for decrypting a file; openssl's values are 2048
// iterations, and a cost of 1<<17.
const (
	maxIterations   = 2_000_000
	maxScryptCost   = 1 << 24
	maxScryptMemory = 256 << 20
)

// decryptPKCS8 returns the PKCS #8 key inside an encrypted one.
func decryptPKCS8(der, passphrase []byte) ([]byte, error) {
	registerPKCS8()
	if len(passphrase) == 0 { // which the library takes for an unencrypted key
		return nil, errWrongPassphrase
	}
	key, _, err := pkcs8.ParsePrivateKey(der, passphrase)
	switch {
	case err == nil:
		return x509.MarshalPKCS8PrivateKey(key)
	case errors.Is(err, errWrongPassphrase), errors.Is(err, errUnreadable), errors.Is(err, errUnknownKey):
		return nil, err
	}
	return nil, errUnknownCipher
}

var registerPKCS8 = sync.OnceFunc(func() {
	for _, c := range []pkcs8.Cipher{pkcs8.AES128CBC, pkcs8.AES192CBC, pkcs8.AES256CBC, pkcs8.TripleDESCBC} {
		pkcs8.RegisterCipher(c.OID(), func() pkcs8.Cipher { return checkedCipher{c} })
	}
	for _, c := range []pkcs8.Cipher{pkcs8.AES128GCM, pkcs8.AES192GCM, pkcs8.AES256GCM} {
		pkcs8.RegisterCipher(c.OID(), func() pkcs8.Cipher { return unknownCipher{c} })
	}
	pkcs8.RegisterKDF(pkcs8.PBKDF2Opts{}.OID(), func() pkcs8.KDFParameters { return new(pbkdf2Params) })
	pkcs8.RegisterKDF(pkcs8.ScryptOpts{}.OID(), func() pkcs8.KDFParameters { return new(scryptParams) })
})

// A checkedCipher checks lengths before decryption, and the padding afterwards.
type checkedCipher struct{ pkcs8.Cipher }

func (c checkedCipher) Decrypt(key, iv, data []byte) ([]byte, error) {
	size := c.IVSize() // in CBC mode that of a block
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errUnreadable
	}
	plain, err := c.Cipher.Decrypt(key, iv, data)
	if err != nil {
		return nil, errUnreadable
	}
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > size {
		return nil, errWrongPassphrase
	}
	plain = plain[:len(plain)-pad]
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(plain, &outer); err != nil || len(rest) > 0 {
		return nil, errWrongPassphrase
	}
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, errUnknownKey
	}
	return plain, nil
}

// An unknownCipher is one that the library would decrypt in the wrong mode.
type unknownCipher struct{ pkcs8.Cipher }

func (unknownCipher) Decrypt(_, _, _ []byte) ([]byte, error) { return nil, errUnknownCipher }

// pbkdf2Hashes are the hashes by object identifier.
var pbkdf2Hashes = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// pbkdf2Params are the parameters of PBKDF2 (RFC 8018, appendix A.2).
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

func (p pbkdf2Params) DeriveKey(passphrase []byte, size int) ([]byte, error) {
	prf, ok := pbkdf2Hashes[p.PRF.Algorithm.String()]
	if !ok {
		return nil, errUnknownCipher
	}
	if p.Iterations < 1 || p.Iterations > maxIterations {
		return nil, errUnreadable
	}
	return pbkdf2.Key(prf, string(passphrase), p.Salt, p.Iterations, size)
}

// scryptParams are the parameters of scrypt (RFC 7914, section 7.1).
type scryptParams struct {
	Salt                             []byte
	Cost, BlockSize, Parallelization int
	KeyLength                        int `asn1:"optional"`
}

func (p scryptParams) DeriveKey(passphrase []byte, size int) ([]byte, error) {
	n, r, l := p.Cost, p.BlockSize, p.Parallelization
	if min(n, r, l) < 1 || max(n, r, l) > maxScryptCost ||
		n*r > maxScryptMemory/128 || n*r*l > maxScryptCost {
		return nil, errUnreadable
	}
	key, _, err := pkcs8.ScryptOpts{CostParameter: n, BlockSize: r, ParallelizationParameter: l}.DeriveKey(passphrase, p.Salt, size)
	if err != nil {
		return nil, errUnreadable
	}
	return key, nil
}
