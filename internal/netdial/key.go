package netdial

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrEncrypted is returned by the passphrase function of PrivateKey if there is no
	// passphrase.
	ErrEncrypted = errors.New("the private key is encrypted")
	// ErrNoKey means that there is no PEM block with a private key.
	ErrNoKey = errors.New("there is no private key in PEM")
)

// PrivateKey returns the first private key in PEM text, decrypted, as PEM. It calls
// passphrase only if the key is encrypted.
func PrivateKey(text []byte, passphrase func() ([]byte, error)) ([]byte, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if bytes.Contains(text, []byte("-----BEGIN PKCS7")) || len(text) > 0 && text[0] == 0x30 {
				return nil, fmt.Errorf("%w; convert other forms with openssl", ErrNoKey)
			}
			return nil, ErrNoKey
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		encrypted := block.Type == "ENCRYPTED PRIVATE KEY"
		legacy := block.Headers["DEK-Info"] != ""
		if !encrypted && !legacy {
			return pem.EncodeToMemory(block), nil
		}
		pass, err := passphrase()
		if err != nil {
			return nil, err
		}
		if encrypted {
			block.Bytes, err = decryptPKCS8(block.Bytes, pass)
			block.Type = "PRIVATE KEY"
		} else {
			//lint:ignore SA1019 it is weak, but the file is what the user has
			block.Bytes, err = x509.DecryptPEMBlock(block, pass)
			if errors.Is(err, x509.IncorrectPasswordError) {
				err = errWrongPassphrase
			}
		}
		if err != nil {
			return nil, err
		}
		block.Headers = nil
		return pem.EncodeToMemory(block), nil
	}
}
