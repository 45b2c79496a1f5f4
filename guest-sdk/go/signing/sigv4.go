package signing

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"sendbox"
)

// AccessKey is an access key of AWS.
type AccessKey struct {
	ID string
	// A placeholder, in a component. Its x-derivations are 4.
	Secret string
}

// Scope is what a signature is valid for, besides its day.
type Scope struct {
	// Such as "eu-central-1".
	Region string
	// Such as "ses".
	Service string
}

const sigV4 = "AWS4-HMAC-SHA256"

// SigV4 signs the whole request, its headers included, by AWS Signature Version 4: it adds x-amz-date,
// x-amz-content-sha256 and authorization. The time is that of the message: sendbox.Message.Now. Nothing in the request
// may be a placeholder: the host fills it in later.
//
// The URL is put into the form of [sendbox.CanonicalURL]. It has no query, and in its path nothing needs encoding and
// no segment but the last is empty: any other one is refused, because services differ in how they sign it.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, read 2026-11-21.
func SigV4(request *sendbox.Request, key AccessKey, scope Scope, now time.Time) (*sendbox.Request, error) {
	if slices.Contains([]string{key.ID, key.Secret, scope.Region, scope.Service}, "") {
		return nil, sendbox.Fail(sendbox.InvalidSettings, "signing: the access key, region or service is missing")
	}
	moment := now.UTC().Format("20060102T150405Z")
	day := moment[:len("20060102")]
	request.Header("x-amz-date", moment)
	request.Header("x-amz-content-sha256", hash(request.Body))
	canonical, names, err := canonicalRequest(request)
	if err != nil {
		return nil, err
	}
	steps := []string{day, scope.Region, scope.Service, "aws4_request"}
	validity := strings.Join(steps, "/")
	toSign := strings.Join([]string{sigV4, moment, validity, hash([]byte(canonical))}, "\n")
	signature, err := signDerived(key.Secret, steps, toSign)
	if err != nil {
		return nil, err
	}
	return request.Header("authorization", sigV4+" Credential="+key.ID+"/"+validity+
		", SignedHeaders="+names+", Signature="+hex.EncodeToString(signature)), nil
}

func signDerived(secret string, steps []string, toSign string) ([]byte, error) {
	key, err := NewKey("AWS4", secret, "")
	for _, step := range steps {
		if err != nil {
			return nil, err
		}
		key, err = key.Derive(step)
	}
	if err != nil {
		return nil, err
	}
	return key.Sign(HMACSHA256, toSign)
}

// canonicalRequest is what AWS hashes of a request, and the names of the headers in it. The request's URL becomes the
// one that is signed.
func canonicalRequest(request *sendbox.Request) (canonical, names string, err error) {
	url, err := sendbox.CanonicalURL(request.URL)
	_, address, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(address, "/")
	if err != nil || strings.ContainsFunc(path, needsEncoding) || strings.Contains("/"+path, "//") {
		return "", "", sendbox.Fail(sendbox.InvalidSettings,
			"signing: the URL is none, or has a query, or a path that needs encoding")
	}
	request.URL = url
	headers := map[string]string{"host": host}
	for _, header := range request.Headers {
		name, value := strings.ToLower(header[0]), strings.Join(strings.Fields(header[1]), " ")
		if before, ok := headers[name]; ok {
			value = before + "," + value
		}
		headers[name] = value
	}
	sorted := slices.Sorted(maps.Keys(headers))
	lines := make([]string, len(sorted))
	for i, name := range sorted {
		lines[i] = name + ":" + headers[name] + "\n"
	}
	names = strings.Join(sorted, ";")
	parts := []string{request.Method, "/" + path, "", strings.Join(lines, ""), names, hash(request.Body)}
	return strings.Join(parts, "\n"), names, nil
}

// needsEncoding says whether a character of a path is none of those that stand for themselves everywhere (RFC 3986,
// 2.3), nor one that divides it.
func needsEncoding(c rune) bool {
	plain := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	return !plain && !strings.ContainsRune("-._~/", c)
}

func hash(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
