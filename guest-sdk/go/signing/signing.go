// Package signing signs with secrets that a component never sees.
//
// A component of a connector that imports it asks for the host's signing, which an operator sees. The connector's
// About asks for each secret in SecretGrants, and the secret's entry in the settings schema says as x-derivations how
// often a key made of it is derived before it signs: four times for [SigV4].
//
// Natively, where no host is, a key is made of the text that it is given: the tests of a connector see the signature
// of their own secret.
package signing

import "sendbox"

// Algorithm is how a key signs.
type Algorithm uint8

// The algorithms of the contract.
const (
	// HMAC with SHA-1 (RFC 2104).
	HMACSHA1 Algorithm = iota
	// HMAC with SHA-256.
	HMACSHA256
	// RSA PKCS #1 v1.5 with SHA-256 (RFC 8017); the secret is a private key in PEM.
	RSASHA256
)

// Key is a key made of a secret: the host's in a component. It derives or signs, never both. Each of the two is one
// of the 16 that a send has.
type Key struct {
	material material
}

// NewKey is the key prefix + secret + suffix. The secret is a setting of the connector's, as it is. The error, here
// and of the key's methods, is an [Error].
func NewKey(prefix, secret, suffix string) (*Key, error) {
	return keyOf(fromSecret(prefix, secret, suffix))
}

// Derive is HMAC-SHA-256 of the data under this key, as a new key.
func (k *Key) Derive(data string) (*Key, error) {
	return keyOf(derive(k.material, []byte(data)))
}

// Sign gives the signature's bytes.
func (k *Key) Sign(algorithm Algorithm, data string) ([]byte, error) {
	return sign(k.material, algorithm, []byte(data))
}

func keyOf(material material, err error) (*Key, error) {
	if err != nil {
		return nil, err
	}
	return &Key{material}, nil
}

// Error says why there is no signature. For the message it is a failure of the kind [sendbox.InvalidSettings].
type Error struct {
	Reason Reason
	// What is wrong with the key, in words.
	Detail string
}

// Reason is a reason of the contract.
type Reason uint8

// The reasons of the contract.
const (
	// The host does not sign.
	NotSupported Reason = iota
	// The secret is unknown or was not granted for signing; or the key derives where it is to sign, or signs where
	// it is to derive.
	Denied
	// The secret is no key of the algorithm.
	InvalidKey
	// Over the limit of signatures a send.
	Limit
)

// Codes and words of the reasons.
var reasons = [...][2]string{
	NotSupported: {"not-supported", "this host does not sign"},
	Denied:       {"denied", "the host does not sign with this secret, or not after so many derivations"},
	InvalidKey:   {"invalid-key", "the secret is no key of the algorithm"},
	Limit:        {"limit", "over the limit of signatures"},
}

// Error is the reason in words.
func (e *Error) Error() string {
	words := reasons[e.Reason][1]
	if e.Detail != "" {
		words = e.Detail
	}
	return "signing: " + words
}

// Failure is what the reason means for the message.
func (e *Error) Failure() *sendbox.Failure {
	return &sendbox.Failure{Kind: sendbox.InvalidSettings, Code: reasons[e.Reason][0], Message: e.Error()}
}
