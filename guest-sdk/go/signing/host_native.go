//go:build !wasip1

package signing

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
)

// material is the key's own bytes.
type material = []byte

func fromSecret(prefix, secret, suffix string) (material, error) {
	return []byte(prefix + secret + suffix), nil
}

func derive(key material, data []byte) (material, error) {
	return sign(key, HMACSHA256, data)
}

func sign(key material, algorithm Algorithm, data []byte) ([]byte, error) {
	if algorithm == RSASHA256 {
		return signRSA(key, data)
	}
	hash := sha256.New
	if algorithm == HMACSHA1 {
		hash = sha1.New
	}
	mac := hmac.New(hash, key)
	mac.Write(data)
	return mac.Sum(nil), nil
}

func signRSA(key material, data []byte) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, &Error{Reason: InvalidKey, Detail: "no RSA private key in PEM (PKCS #8 or PKCS #1)"}
	}
	var private any
	var err error
	if block.Type == "RSA PRIVATE KEY" {
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	} else {
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	own, ok := private.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, &Error{Reason: InvalidKey, Detail: "not a valid RSA key"}
	}
	digest := sha256.Sum256(data)
	return rsa.SignPKCS1v15(nil, own, crypto.SHA256, digest[:])
}
