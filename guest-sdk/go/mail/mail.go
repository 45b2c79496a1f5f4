// Package mail composes mail (RFC 5322, MIME), for connectors that submit it with sendbox/smtp. A header cannot be
// injected: no control character reaches one, and addresses and the names of headers are checked.
package mail

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"sendbox"
)

// Mail is one mail. Text and HTML together become alternatives of one another.
type Mail struct {
	// Who sends; [Sender] reads one.
	From sendbox.Mailbox
	// To whom: one address.
	To string
	// Where answers go; without an address where that is the sender.
	ReplyTo sendbox.Mailbox
	// Put on one line.
	Subject string
	// The body in plain text and in HTML; empty where there is none.
	Text, HTML string
	// More headers; one name may come more than once.
	Headers []sendbox.Pair
	// What makes the Message-ID its own: the idempotency key of the message. The same text gives the same one, on the
	// sender's domain; where it is empty, each mail has another.
	ID string
	// When it is sent: the message's Now; the moment of composing by default.
	Date time.Time
}

// Headers that a mail has from its fields or from servers on its way, and Bcc: recipients come from the envelope.
var reserved = []string{
	"bcc", "cc", "date", "dkim-signature", "from", "message-id", "mime-version", "received", "reply-to",
	"return-path", "sender", "subject", "to", "x-bcc",
}

const longestName = 76

// Compose is the mail's text with CRLF at the ends of its lines, in ASCII but for an address that is not. The error is
// a [sendbox.Failure].
func (m *Mail) Compose() ([]byte, error) {
	m, err := m.checked()
	if err != nil {
		return nil, err
	}
	head := &fields{}
	head.mailbox("From", m.From)
	head.ready("To", "<"+m.To+">")
	if m.ReplyTo.Address != "" {
		head.mailbox("Reply-To", m.ReplyTo)
	}
	head.unstructured("Subject", m.Subject)
	_, domain := split(m.From.Address)
	head.ready("Message-ID", "<"+m.token()+"@"+domain+">")
	head.ready("Date", m.Date.UTC().Format(time.RFC1123Z))
	for _, header := range m.Headers {
		head.unstructured(header[0], header[1])
	}
	head.ready("MIME-Version", "1.0")
	switch {
	case m.HTML == "":
		return []byte(part(head, "text/plain", m.Text)), nil
	case m.Text == "":
		return []byte(part(head, "text/html", m.HTML)), nil
	}
	return []byte(alternatives(head, m.token(), m.Text, m.HTML)), nil
}

// checked is the mail with its addresses in canonical form, an ID and a date.
func (m *Mail) checked() (*Mail, error) {
	checked := *m
	var ok bool
	if checked.From.Address, ok = Address(m.From.Address); !ok {
		return nil, sendbox.InvalidField("from", "is no mail address")
	}
	if checked.To, ok = Address(m.To); !ok {
		return nil, sendbox.Fail(sendbox.Rejected, "the recipient is not one mail address")
	}
	if m.ReplyTo.Address != "" {
		if checked.ReplyTo.Address, ok = Address(m.ReplyTo.Address); !ok {
			return nil, sendbox.Fail(sendbox.Rejected, "the reply address is no mail address")
		}
	}
	for _, header := range m.Headers {
		if err := checkName(header[0]); err != nil {
			return nil, err
		}
	}
	if checked.ID == "" {
		checked.ID = rand.Text()
	}
	if checked.Date.IsZero() {
		checked.Date = time.Now()
	}
	return &checked, nil
}

// checkName refuses a header that a mail cannot have.
func checkName(name string) error {
	// ftext of RFC 5322, 3.6.8.
	foreign := func(c rune) bool { return c <= ' ' || c == ':' || c > '~' }
	if name == "" || len(name) > longestName || strings.ContainsFunc(name, foreign) {
		return sendbox.InvalidField("headers", "a header's name holds other than printable ASCII")
	}
	lower := strings.ToLower(name)
	if slices.Contains(reserved, lower) || strings.HasPrefix(lower, "content-") {
		return sendbox.InvalidField("headers", name+" is set by the SDK")
	}
	return nil
}

// token is the id in letters that a Message-ID and a boundary take.
func (m *Mail) token() string {
	token := strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '-' || c == '.' {
			return c
		}
		return '-'
	}, m.ID)
	return token[:min(len(token), 64)]
}
