package testkit

import (
	"testing"
	"time"

	"sendbox"
	"sendbox/signing"
)

func TestASignatureIsThatOfItsSecretAndOfTheWholeRequest(t *testing.T) {
	signed := func() *sendbox.Request {
		request, err := signing.SigV4(
			sendbox.PostJSON("https://email.eu-central-1.amazonaws.com/v2", "text").Header("x-name", "value"),
			signing.AccessKey{ID: "id", Secret: "secret"},
			signing.Scope{Region: "eu-central-1", Service: "ses"},
			time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC),
		)
		if err != nil {
			t.Fatal(err)
		}
		return request
	}
	if !isSignedWith(signed(), "secret") {
		t.Error("a signature was not recognised")
	}
	if isSignedWith(signed(), "another") || isSignedWith(sendbox.Get("https://x.test/"), "secret") {
		t.Error("what is not signed with the secret passed")
	}
	for what, change := range map[string]func(*sendbox.Request){
		"method": func(r *sendbox.Request) { r.Method = "PUT" },
		"host":   func(r *sendbox.Request) { r.URL = "https://x.test/v2" },
		"path":   func(r *sendbox.Request) { r.URL += "/more" },
		"query":  func(r *sendbox.Request) { r.URL += "?a=b" },
		"header": func(r *sendbox.Request) { r.Headers[1][1] = "other" },
		"body":   func(r *sendbox.Request) { r.Body = []byte("other") },
	} {
		request := signed()
		change(request)
		if isSignedWith(request, "secret") {
			t.Error("signed for another", what)
		}
	}
}
