// Package smtp submits mail through the host, which speaks SMTP with the server; sendbox/mail composes it.
//
// A component of a connector that imports it asks for the host's SMTP, which an operator sees. Natively, where no host
// is, testkit.Submit stands in for it.
package smtp

import (
	"context"
	"time"

	"sendbox"
	"sendbox/mail"
)

// Security says whether and when TLS begins.
type Security uint8

// The ways of the contract.
const (
	// TLS from the first byte (RFC 8314).
	TLS Security = iota
	// STARTTLS (RFC 3207), required.
	StartTLS
	// STARTTLS where the server offers it. Credentials never leave in clear.
	Opportunistic
	// Plain text; only where the operator allows it.
	Clear
)

// Server is a server and how to speak to it. What is empty is the host's choice.
type Server struct {
	// Name, or address as in a URL.
	Host string
	Port uint16
	// Whether and when TLS begins.
	Security Security
	// Name in the certificate, where it is not Host.
	ServerName string
	// Credentials; none where there is no user.
	Auth Auth
	// EHLO name; the egress source's by default.
	Name string
	// One of the tenant's egress sources, by address.
	LocalAddress string
	// For the connection, and for each reply; capped by the send's deadline.
	ConnectTimeout, CommandTimeout time.Duration
}

// Auth is a user with a password or an OAuth 2 access token (XOAUTH2). Both may be placeholders.
type Auth struct {
	User, Password string
	// PLAIN, LOGIN or CRAM-MD5; the best that the server offers by default.
	Mechanism string
	// In the place of a password.
	Token string
}

// Envelope says from whom and to whom, whatever the mail's headers say.
type Envelope struct {
	// Reverse path: an address, or empty for the null path.
	From string
	// Forward paths: 1 to 10 addresses.
	To []string
}

// Reply is what a server answered.
type Reply struct {
	// Reply code (RFC 5321).
	Code int
	// Enhanced status code (RFC 3463), such as "5.1.1"; or empty.
	Enhanced string
	// Its words; at most 4 KiB.
	Text string
}

// Host hands a mail to a server. Its error is an [Error].
type Host func(server *Server, envelope Envelope, data []byte) (*Reply, error)

type hostKey struct{}

// WithHost makes another host of what [Submit] calls, for tests.
func WithHost(ctx context.Context, host Host) context.Context {
	return context.WithValue(ctx, hostKey{}, host)
}

// Submit submits one mail of at most 1 MiB to all recipients of the envelope or to none. The context is the one that
// Send was called with. An address that is none never reaches the host; a mail that is not taken is an [Error].
func Submit(ctx context.Context, server *Server, envelope Envelope, data []byte) (*Reply, error) {
	checked, err := envelope.canonical()
	if err != nil {
		return nil, err
	}
	if host, ok := ctx.Value(hostKey{}).(Host); ok {
		return host(server, checked, data)
	}
	return submit(server, checked, data)
}

// canonical refuses what could end a command of the session.
func (e Envelope) canonical() (Envelope, error) {
	var checked Envelope
	if e.From != "" {
		from, ok := mail.Address(e.From)
		if !ok {
			return checked, sendbox.InvalidField("from", "is no mail address")
		}
		checked.From = from
	}
	for _, recipient := range e.To {
		to, ok := mail.Address(recipient)
		if !ok {
			return checked, sendbox.Fail(sendbox.Rejected, "the recipient is not one mail address")
		}
		checked.To = append(checked.To, to)
	}
	return checked, nil
}
