package signing_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"testing"

	"sendbox"
	"sendbox/signing"
	"sendbox/testkit"
)

func TestSignaturesAreThoseOfTheRFCs(t *testing.T) {
	const data = "what do ya want for nothing?" // RFC 2202, 3, case 2, and RFC 4231, 4.3.
	for algorithm, expected := range map[signing.Algorithm]string{
		signing.HMACSHA1:   "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		signing.HMACSHA256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	} {
		key, _ := signing.NewKey("J", "ef", "e")
		signature, err := key.Sign(algorithm, data)
		if got := hex.EncodeToString(signature); err != nil || got != expected {
			t.Error(got, err)
		}
	}
}

// The example of "Derive a signing key" in the AWS General Reference: what the last step signs is what it derives.
func TestKeysAreDerivedAsAWSDerivesThem(t *testing.T) {
	key, err := signing.NewKey("AWS4", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")
	for _, step := range []string{"20150830", "us-east-1", "iam"} {
		if err == nil {
			key, err = key.Derive(step)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	signature, _ := key.Sign(signing.HMACSHA256, "aws4_request")
	const expected = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
	if got := hex.EncodeToString(signature); got != expected {
		t.Error(got)
	}
}

func TestAnRSASignatureIsOneOfItsKey(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for label, der := range map[string][]byte{
		"PRIVATE KEY": pkcs8, "RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(private),
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
		key, _ := signing.NewKey("", string(text), "")
		signature, err := key.Sign(signing.RSASHA256, "data")
		if err != nil {
			t.Fatal(label, err)
		}
		digest := sha256.Sum256([]byte("data"))
		if err := rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			t.Error(label, err)
		}
	}
	for _, text := range []string{"", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		key, _ := signing.NewKey("", text, "")
		_, err := key.Sign(signing.RSASHA256, "data")
		if failed, ok := errors.AsType[*signing.Error](err); !ok || failed.Reason != signing.InvalidKey {
			t.Error(text, err)
		}
	}
}

func TestARefusalOfTheHostsIsAFailureOfTheSettings(t *testing.T) {
	for reason, code := range map[signing.Reason]string{
		signing.NotSupported: "not-supported", signing.Denied: "denied",
		signing.InvalidKey: "invalid-key", signing.Limit: "limit",
	} {
		connector := sendbox.Connector[struct{}]{
			Request: func(*struct{}, *sendbox.Message) (*sendbox.Request, error) {
				return nil, &signing.Error{Reason: reason, Detail: "in words"}
			},
		}
		request, failure := testkit.Request(connector, "{}", testkit.Message("alice@example.net", "SignIn", "{}"))
		if request != nil || failure.Kind != sendbox.InvalidSettings || failure.Code != code {
			t.Error(request, failure)
		}
		if failure.Message != "signing: in words" {
			t.Error(failure.Message)
		}
	}
}
