package commands

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// Private keys that a passphrase protects, as "openssl genpkey -aes256" writes
// them: PKCS #8 (RFC 5958) with PBES2 (RFC 8018, section 6.2), which is not in the
// standard library.

var errWrongPassphrase = errors.New("the passphrase is wrong")

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// pbkdf2Hashes and pbes2Ciphers are by their object identifiers; a cipher is given
// by the length of its key.
var pbkdf2Hashes = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

var pbes2Ciphers = map[string]int{
	"2.16.840.1.101.3.4.1.2":  16, // AES-128-CBC
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	Derivation, Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// maxIterations bounds the time that a file can cost.
const maxIterations = 2_000_000

// decryptPKCS8 returns the PKCS #8 key inside an encrypted one.
func decryptPKCS8(der, passphrase []byte) ([]byte, error) {
	var k encryptedKey
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) > 0 {
		return nil, errors.New("the encrypted private key cannot be read")
	}
	var params pbes2Params
	var derivation pbkdf2Params
	var iv []byte
	switch {
	case !k.Algorithm.Algorithm.Equal(oidPBES2):
		return nil, fmt.Errorf("the private key is encrypted in a way that is not known (%s); convert it with 'openssl pkcs8 -topk8 -v2 aes256'", k.Algorithm.Algorithm)
	case !unmarshal(k.Algorithm.Parameters, &params):
		return nil, errors.New("the encrypted private key cannot be read")
	case !params.Derivation.Algorithm.Equal(oidPBKDF2):
		return nil, fmt.Errorf("the key of the private key is derived in a way that is not known (%s); convert it with 'openssl pkcs8 -topk8 -v2 aes256'", params.Derivation.Algorithm)
	case !unmarshal(params.Derivation.Parameters, &derivation), !unmarshal(params.Cipher.Parameters, &iv):
		return nil, errors.New("the encrypted private key cannot be read")
	}
	size, ok := pbes2Ciphers[params.Cipher.Algorithm.String()]
	prf, known := pbkdf2Hashes[derivation.PRF.Algorithm.String()]
	if !ok || !known {
		return nil, errors.New("the private key is encrypted with a cipher that is not known; convert it with 'openssl pkcs8 -topk8 -v2 aes256'")
	}
	if derivation.Iterations < 1 || derivation.Iterations > maxIterations || len(iv) != aes.BlockSize ||
		len(k.Data) == 0 || len(k.Data)%aes.BlockSize != 0 {
		return nil, errors.New("the encrypted private key cannot be read")
	}
	key, err := pbkdf2.Key(prf, string(passphrase), derivation.Salt, derivation.Iterations, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(k.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, k.Data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize || pad > len(plain) {
		return nil, errWrongPassphrase
	}
	plain = plain[:len(plain)-pad]
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(plain, &outer); err != nil || len(rest) > 0 {
		return nil, errWrongPassphrase
	}
	return plain, nil
}

func unmarshal(raw asn1.RawValue, v any) bool {
	rest, err := asn1.Unmarshal(raw.FullBytes, v)
	return err == nil && len(rest) == 0
}
