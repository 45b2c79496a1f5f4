package smtp

import (
	"slices"
	"strconv"
	"strings"

	"sendbox"
)

// Error says why a mail was not taken.
type Error struct {
	Reason Reason
	// What the server answered, where the reason is Unauthorized, Rejected or Deferred.
	Reply Reply
	// What was wrong with the request, or with the TLS session, in words.
	Detail string
}

// Reason is a reason of the contract.
type Reason uint8

// The reasons of the contract. Before Interrupted the mail was not taken; after it, it may have been.
const (
	// The host does not offer SMTP.
	NotSupported Reason = iota
	// By policy.
	Denied
	// Malformed or over a limit, or the server does not offer what it needs.
	InvalidRequest
	// The name could not be resolved.
	DNS
	// No session, or it ended before the message was handed over.
	Connect
	// No trusted TLS session.
	NoTLS
	// The credentials are refused.
	Unauthorized
	// Refused for good.
	Rejected
	// Refused until later.
	Deferred
	// No reply in time before the message was handed over.
	Timeout
	// The session ended after the message was handed over and before the server answered.
	Interrupted
)

// What each reason without a reply means for the message.
var failures = [...]sendbox.Failure{
	NotSupported: {Kind: sendbox.InvalidSettings, Code: "not-supported", Message: "this host does not offer SMTP"},
	Denied: {
		Kind: sendbox.InvalidSettings, Code: "denied",
		Message: "the egress policy does not allow this server, port or plain text",
	},
	InvalidRequest: {Kind: sendbox.InvalidSettings, Code: "invalid-request"},
	DNS:            {Kind: sendbox.Unavailable, Code: "dns", Message: "the host name could not be resolved"},
	Connect:        {Kind: sendbox.Unavailable, Code: "connect", Message: "no session with the server"},
	NoTLS:          {Kind: sendbox.Unavailable, Code: "tls", Message: "no trusted TLS session"},
	Timeout:        {Kind: sendbox.Unavailable, Code: "timeout", Message: "no reply in time"},
	Interrupted: {
		Kind: sendbox.Unknown, Code: "interrupted",
		Message: "the session ended after the message and before its answer",
	},
}

// Error is the reason in words.
func (e *Error) Error() string {
	return e.Failure().Message
}

// Failure is what the reason means for the message.
func (e *Error) Failure() *sendbox.Failure {
	switch e.Reason {
	case Unauthorized:
		return e.refusal(sendbox.Unauthorized)
	case Rejected:
		switch {
		case e.limited():
			return e.refusal(sendbox.Throttled)
		case strings.HasPrefix(e.Reply.Text, "MAIL FROM: "), slices.Contains(ofSender, e.Reply.Enhanced):
			return e.refusal(sendbox.InvalidSettings)
		}
		return e.refusal(sendbox.Rejected)
	case Deferred:
		if e.Reply.Code == 452 || e.limited() {
			return e.refusal(sendbox.Throttled)
		}
		return e.refusal(sendbox.Unavailable)
	}
	failure := failures[e.Reason]
	switch {
	case failure.Message == "":
		failure.Message = e.Detail
	case e.Detail != "":
		failure.Message += ": " + e.Detail
	}
	return &failure
}

// Enhanced status codes of RFC 5248 that speak of the sender, and Exchange's.
var ofSender = []string{"5.1.7", "5.1.8", "5.2.252", "5.7.23", "5.7.26", "5.7.27", "5.7.60"}

// limited says whether the reply is about the account's rate or quota (RFC 3463, and large servers' words).
func (e *Error) limited() bool {
	if slices.Contains([]string{"5.4.5", "5.1.90", "5.7.232", "5.7.233", "4.7.28"}, e.Reply.Enhanced) {
		return true
	}
	words := strings.ToLower(e.Reply.Text)
	return strings.Contains(words, "rate limit") || strings.Contains(words, "sending limit")
}

func (e *Error) refusal(kind sendbox.FailureKind) *sendbox.Failure {
	code := strconv.Itoa(e.Reply.Code)
	words := strings.TrimRight(code+" "+e.Reply.Text, " ")
	if e.Reply.Enhanced != "" {
		code = e.Reply.Enhanced
	}
	return &sendbox.Failure{Kind: kind, Code: code, Message: words}
}
