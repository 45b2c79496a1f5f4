package sendbox

import (
	"bytes"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"strings"
	"time"
)

// Pair is a name and a value: a header, a field of a form, a language tag and its text.
type Pair [2]string

// Credential is where the secret goes, if in no other place. The host encodes it after it has filled in the
// secret. The zero value is none; [Request.Basic] and its neighbours set it.
type Credential struct {
	Scheme CredentialScheme
	// The user of Basic, the header of InHeader.
	Name string
	// The secret.
	Value string
}

// CredentialScheme is how a credential is sent.
type CredentialScheme uint8

// The schemes of the contract.
const (
	NoCredential CredentialScheme = iota
	Basic
	Bearer
	InHeader
)

// Request is one HTTP request.
type Request struct {
	// GET, HEAD, POST, PUT, PATCH or DELETE.
	Method string
	// Absolute and ASCII.
	URL string
	// At most 100; the host adds framing and its own.
	Headers []Pair
	// At most 1 MiB.
	Body []byte
	// Where the secret goes, if in no other place.
	Credential Credential
	// For the whole exchange; the send's deadline by default.
	Timeout time.Duration

	err error
}

// Get is a GET of a URL with the pairs as its query.
func Get(url string, query ...Pair) *Request {
	if len(query) > 0 {
		url += "?" + formOf(query)
	}
	return &Request{Method: "GET", URL: url}
}

// PostJSON posts a value as JSON, without the escapes that only HTML needs.
//
// A value that has no JSON form is rejected when the request is sent.
func PostJSON(url string, value any) *Request {
	body, err := json.Marshal(value, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		err = &Failure{Kind: Rejected, Message: err.Error()}
	}
	return (&Request{Method: "POST", URL: url, Body: body, err: err}).
		Header("content-type", "application/json")
}

// PostForm posts the pairs as a form (WHATWG URL, application/x-www-form-urlencoded), in their order.
func PostForm(url string, fields ...Pair) *Request {
	return (&Request{Method: "POST", URL: url, Body: []byte(formOf(fields))}).
		Header("content-type", "application/x-www-form-urlencoded")
}

// Header adds a header.
func (r *Request) Header(name, value string) *Request {
	r.Headers = append(r.Headers, Pair{name, value})
	return r
}

// Basic sends user and password (RFC 7617).
func (r *Request) Basic(user, password string) *Request {
	r.Credential = Credential{Basic, user, password}
	return r
}

// Bearer sends a token (RFC 6750).
func (r *Request) Bearer(token string) *Request {
	r.Credential = Credential{Scheme: Bearer, Value: token}
	return r
}

// SecretHeader sends a secret in a header of its own.
func (r *Request) SecretHeader(name, value string) *Request {
	r.Credential = Credential{InHeader, name, value}
	return r
}

// check refuses what would end a header line: the settings' field is wrong, not the message.
func (r *Request) check() error {
	if r.err != nil {
		return r.err
	}
	headers := r.Headers
	if secret := r.Credential; secret.Scheme == InHeader {
		headers = append(headers[:len(headers):len(headers)], Pair{secret.Name, secret.Value})
	}
	for _, header := range headers {
		name, value := header[0], header[1]
		if strings.ContainsFunc(value, func(c rune) bool { return isASCIIControl(c) && c != '\t' }) {
			return InvalidField(name, "a header value must not contain control characters")
		}
	}
	return nil
}

// Response is one buffered HTTP response.
type Response struct {
	// Status code.
	Status int
	// Names in lower case.
	Headers []Pair
	// At most 1 MiB.
	Body []byte
	// When it arrived.
	ReceivedAt time.Time
}

// OK says whether the status code is 2xx.
func (r *Response) OK() bool {
	return r.Status >= 200 && r.Status < 300
}

// Header is the first header of that lower-case name, or empty.
func (r *Response) Header(name string) string {
	for _, header := range r.Headers {
		if header[0] == name {
			return header[1]
		}
	}
	return ""
}

// Text is the body without a byte order mark; what is no UTF-8 becomes U+FFFD.
func (r *Response) Text() string {
	return strings.ToValidUTF8(string(r.bytes()), "\uFFFD")
}

// JSON reads the body into a value, by the rules of encoding/json/v2.
func (r *Response) JSON(value any) error {
	return json.Unmarshal(r.bytes(), value, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func (r *Response) bytes() []byte {
	return bytes.TrimPrefix(r.Body, []byte("\xEF\xBB\xBF"))
}

// HTTPError says why there is no response.
type HTTPError struct {
	Reason HTTPReason
	// What was wrong with the request, in words.
	Detail string
}

// HTTPReason is a reason of the contract.
type HTTPReason uint8

// The reasons of the contract. Before HTTPTimeout nothing was sent; from there on the provider may have received
// the request.
const (
	// By the egress policy.
	HTTPDenied HTTPReason = iota
	// Malformed or over a limit.
	HTTPInvalidRequest
	// The host's name could not be resolved.
	HTTPDNS
	// No connection.
	HTTPConnect
	// No trusted TLS session.
	HTTPTLS
	// No whole response in time.
	HTTPTimeout
	// The connection ended, or broke the protocol, before a whole response.
	HTTPInterrupted
	// The response is over a limit.
	HTTPResponseTooLarge
)

// What each reason means for the message.
var httpFailures = [...]Failure{
	HTTPDenied:           {InvalidSettings, "denied", "the egress policy does not allow this address", nil},
	HTTPInvalidRequest:   {InvalidSettings, "invalid-request", "the request is malformed", nil},
	HTTPDNS:              {Unavailable, "dns", "the host name could not be resolved", nil},
	HTTPConnect:          {Unavailable, "connect", "no connection", nil},
	HTTPTLS:              {Unavailable, "tls", "no trusted TLS session", nil},
	HTTPTimeout:          {Unknown, "timeout", "no whole response in time", nil},
	HTTPInterrupted:      {Unknown, "interrupted", "the connection ended before a whole response", nil},
	HTTPResponseTooLarge: {Unknown, "response-too-large", "the response is over the limit", nil},
}

// Error is the reason in words.
func (e *HTTPError) Error() string {
	return e.Failure().Message
}

// Failure is what the reason means for the message.
func (e *HTTPError) Failure() *Failure {
	failure := httpFailures[e.Reason]
	if e.Detail != "" {
		failure.Message = e.Detail
	}
	return &failure
}
