package sendbox

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FailureKind is a kind of failure that the host knows how to treat. A connector classifies and never retries:
// the host decides.
type FailureKind uint8

// The kinds of the contract.
const (
	// InvalidSettings cannot work; the message names the field.
	InvalidSettings FailureKind = iota
	// TemplateNotFound: no template for the usage type, here or at the provider.
	TemplateNotFound
	// Rejected: this recipient or this content is refused for good. What is said of sender, account or quota is
	// another kind.
	Rejected
	// Unauthorized: the credentials are refused.
	Unauthorized
	// Throttled: refused until later, because of a rate or quota.
	Throttled
	// Unavailable: not accepted, and a later attempt may succeed.
	Unavailable
	// Unknown: the provider may have accepted.
	Unknown
)

var kindNames = [...]string{
	"invalid-settings", "template-not-found", "rejected", "unauthorized", "throttled", "unavailable", "unknown",
}

// String is the kind in the contract's spelling.
func (k FailureKind) String() string {
	return kindNames[k]
}

// KindOfStatus says what an HTTP status code outside 2xx means (RFC 9110, 15; 425 of RFC 8470, 429 of RFC 6585).
//
// Of the 5xx only 503 says that the request was not processed; after any other one the provider may have accepted.
func KindOfStatus(status int) FailureKind {
	switch {
	case status == 401 || status == 403 || status == 407:
		return Unauthorized
	case status == 402 || status == 408 || status == 425 || status == 429:
		return Throttled
	case status == 400 || status == 422:
		return Rejected
	case status == 503:
		return Unavailable
	case status >= 300 && status < 500 && status != 303:
		// The host follows no redirect, so the address is wrong. 303 is the exception: the request was
		// processed, and its outcome lies elsewhere. Every other 4xx speaks of address, method or form.
		return InvalidSettings
	default:
		return Unknown
	}
}

// Failure says why a message was not accepted.
type Failure struct {
	// What it means for the message.
	Kind FailureKind
	// The provider's code, or the status code; at most 64 bytes are kept.
	Code string
	// In words, without secrets; at most 4 KiB are kept.
	Message string
	// How long the provider asks to wait, where it says so.
	RetryAfter *time.Duration
}

// Error is the failure's message.
func (f *Failure) Error() string {
	return f.Message
}

// Failure is the failure itself: what every error has that says what it means for the message.
func (f *Failure) Failure() *Failure {
	return f
}

// Fail is a failure in words.
func Fail(kind FailureKind, format string, args ...any) *Failure {
	return &Failure{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// InvalidField is the failure of a settings' field that cannot work, and why.
func InvalidField(field, words string) *Failure {
	return &Failure{Kind: InvalidSettings, Message: field + ": " + words}
}

// StatusFailure is what a response outside 2xx says by its status code, its Retry-After and the start of its body.
func StatusFailure(response *Response) *Failure {
	code := strconv.Itoa(response.Status)
	message := "HTTP status " + code
	if response.Status >= 300 && response.Status < 400 {
		message += ": redirects are not followed, the address must be the final one"
	} else if words := excerpt(response); words != "" {
		message += ": " + words
	}
	return &Failure{
		Kind:       kindOf(response),
		Code:       code,
		Message:    message,
		RetryAfter: retryAfter(response),
	}
}

// kindOf is the kind of a response's status code. A page of a proxy or a web server says nothing of the message.
func kindOf(response *Response) FailureKind {
	kind := KindOfStatus(response.Status)
	if kind == Rejected && isMarkup(response.Text()) {
		return InvalidSettings
	}
	return kind
}

func isMarkup(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "<")
}

// ProviderFailure is what the provider's own code and words stand for, inside whichever response; its Retry-After
// is kept, and the words of [StatusFailure] where there are no other ones.
func ProviderFailure(response *Response, kind FailureKind, code, words string) *Failure {
	failure := StatusFailure(response)
	failure.Kind, failure.Code = kind, code
	if words != "" {
		failure.Message = words
	}
	return failure
}

// Unreadable is a 2xx without the answer that the provider's documents promise: it may have accepted.
func Unreadable(response *Response) *Failure {
	code := strconv.Itoa(response.Status)
	return &Failure{Kind: Unknown, Code: code, Message: "HTTP status " + code + " without the provider's answer"}
}

// classified is an error that says what it means for the message, such as an [HTTPError].
type classified interface {
	error
	Failure() *Failure
}

// failureOf is any error as the host gets it.
func failureOf(err error) *Failure {
	if known, ok := errors.AsType[classified](err); ok {
		return known.Failure()
	}
	return &Failure{Kind: Unknown, Code: "error", Message: err.Error()}
}

// retryAfter reads a Retry-After header (RFC 9110, 10.2.3): seconds, or a date that counts from the response's own
// Date, else from the moment it arrived.
func retryAfter(response *Response) *time.Duration {
	value := strings.TrimSpace(response.Header("retry-after"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return new(time.Duration(seconds) * time.Second)
	}
	until, ok := httpDate(value)
	if !ok {
		return nil
	}
	now, ok := httpDate(response.Header("date"))
	if !ok {
		now = response.ReceivedAt
	}
	return new(max(until.Sub(now), 0))
}

// httpDate reads the three forms of RFC 9110, 5.6.7.
func httpDate(text string) (time.Time, bool) {
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if date, err := time.Parse(layout, text); err == nil {
			return date, true
		}
	}
	return time.Time{}, false
}

// excerpt is the first words of a plain or JSON body, on one line. A page of markup explains nothing.
func excerpt(response *Response) string {
	const characters = 200
	text := strings.TrimSpace(response.Text())
	if isMarkup(text) {
		return ""
	}
	words := []rune(OneLine(text))
	return string(words[:min(len(words), characters)])
}

// OneLine is the text with every run of control characters and the spaces around it as one space, so that it fits
// a header, a subject or a line of a log.
func OneLine(text string) string {
	if !strings.ContainsFunc(text, isASCIIControl) {
		return text
	}
	var words []string
	for _, word := range strings.FieldsFunc(text, isASCIIControl) {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func isASCIIControl(r rune) bool {
	return r < ' ' || r == 0x7f
}
