package testkit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"sendbox"
)

const sigV4 = "AWS4-HMAC-SHA256"

// signatureHeaders say who signed what, rather than what is asked for.
var signatureHeaders = []string{"authorization", "x-amz-content-sha256"}

// withoutSignature leaves out what is verified instead: which headers a signature of AWS covers is the signer's
// choice.
func withoutSignature(headers []sendbox.Pair) []sendbox.Pair {
	return slices.DeleteFunc(headers, func(header sendbox.Pair) bool {
		return slices.Contains(signatureHeaders, strings.ToLower(header[0]))
	})
}

func isSigned(headers []sendbox.Pair) bool {
	return slices.ContainsFunc(headers, func(header sendbox.Pair) bool {
		return header[0] == "authorization" && strings.HasPrefix(header[1], sigV4)
	})
}

// verify checks a signature of AWS as a receiver does: it must be the one that a text of the settings makes.
func verify(t *testing.T, request *sendbox.Request, settings any) {
	t.Helper()
	texts, _ := settings.(*sendbox.Payload)
	for _, text := range texts.All() {
		if secret, ok := text.(string); ok && isSignedWith(request, secret) {
			return
		}
	}
	t.Error("the request is not signed with a secret of the settings")
}

// isSignedWith follows the published rules and nothing of the package that signs.
func isSignedWith(request *sendbox.Request, secret string) bool {
	authorization, ok := strings.CutPrefix(headerOf(request, "authorization"), sigV4+" ")
	if !ok {
		return false
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(authorization, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	_, scope, _ := strings.Cut(fields["Credential"], "/")
	_, address, _ := strings.Cut(request.URL, "://")
	host, path, _ := strings.Cut(address, "/")
	path, query, _ := strings.Cut(path, "?")
	body := digest(string(request.Body))
	if stated := headerOf(request, "x-amz-content-sha256"); stated != "" && stated != body {
		return false
	}

	canonical := request.Method + "\n/" + path + "\n" + query + "\n"
	covered := strings.Split(fields["SignedHeaders"], ";")
	for _, name := range covered {
		value := headerOf(request, name)
		if name == "host" {
			value = host
		}
		canonical += name + ":" + strings.TrimSpace(value) + "\n"
	}
	canonical += "\n" + fields["SignedHeaders"] + "\n" + body
	toSign := strings.Join([]string{sigV4, headerOf(request, "x-amz-date"), scope, digest(canonical)}, "\n")
	key := []byte("AWS4" + secret)
	for step := range strings.SplitSeq(scope, "/") {
		key = mac(key, step)
	}
	return slices.Contains(covered, "host") && fields["Signature"] == hex.EncodeToString(mac(key, toSign))
}

func headerOf(request *sendbox.Request, name string) string {
	for _, header := range request.Headers {
		if strings.EqualFold(header[0], name) {
			return header[1]
		}
	}
	return ""
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
