package sendbox

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// ContentType says how a body is to be read.
type ContentType uint8

// The content types of the contract.
const (
	HTML ContentType = iota
	Plain
)

// String is the media type.
func (t ContentType) String() string {
	if t == Plain {
		return "text/plain"
	}
	return "text/html"
}

// Content is the tenant's own text, in place of the settings' templates.
type Content struct {
	// Subject, one line.
	Subject string
	// Body, and how to read it.
	Body        string
	ContentType ContentType
	// Plain text of the same beside an HTML body, or empty.
	Text string
	// Where answers go, or empty.
	ReplyTo string
	// A display name, a mailbox, or "Name <mailbox>"; or empty.
	SendFrom string
}

// Parts are the body as HTML and as plain text: what a mail has of each.
func (c *Content) Parts() (html, text string) {
	if c.ContentType == Plain {
		return "", c.Body
	}
	return c.Body, c.Text
}

// Message is one message for one recipient.
type Message struct {
	// E-mail address, or phone number as the caller gave it.
	Recipient string
	// One of the nine usage types, or a name that a connector treats as [Generic].
	UsageType string
	// Template variables.
	Payload *Payload
	// BCP 47 tag, or empty.
	Locale string
	// Address of the person that asked for the message, or empty.
	ClientIP string
	// Overrides the settings' templates, with its variables not filled in: see [Message.FilledContent].
	Content *Content
	// The same over all attempts of one message.
	IdempotencyKey string
	// How long until the message expires.
	ExpiresIn time.Duration
	// When this send began.
	Now time.Time
	// The settings' "unescapedHtml": values stand in HTML as they are, markup included, as in Logto's own connectors.
	UnescapedHTML bool
}

// Render is the template, plain text, with this message's variables filled in as they are.
func (m *Message) Render(template string) string {
	return Render(template, m.Payload)
}

// RenderHTML is the template, HTML, with this message's variables filled in: a value is text there and never markup,
// unless the settings say otherwise.
func (m *Message) RenderHTML(template string) string {
	if m.UnescapedHTML {
		return m.Render(template)
	}
	return renderWith(template, m.Payload, htmlEscaper.Replace)
}

// RenderAs is the template with this message's variables filled in for a body of a type.
func (m *Message) RenderAs(contentType ContentType, template string) string {
	if contentType == Plain {
		return m.Render(template)
	}
	return m.RenderHTML(template)
}

// RenderLine is [Message.Render], on one line: for subjects and names.
func (m *Message) RenderLine(template string) string {
	return OneLine(m.Render(template))
}

// FilledContent is the overriding content with its variables filled in, subject and addresses on one line; nil
// where there is none. No value becomes markup or an address.
func (m *Message) FilledContent() *Content {
	if m.Content == nil {
		return nil
	}
	return &Content{
		Subject:     m.RenderLine(m.Content.Subject),
		Body:        m.RenderAs(m.Content.ContentType, m.Content.Body),
		ContentType: m.Content.ContentType,
		Text:        m.Render(m.Content.Text),
		ReplyTo:     m.filledMailbox(m.Content.ReplyTo, true),
		SendFrom:    m.filledMailbox(m.Content.SendFrom, false),
	}
}

// check refuses a recipient that could end a line of a protocol, before any request.
func (m *Message) check() error {
	if strings.ContainsFunc(m.Recipient, unicode.IsControl) {
		return &Failure{Kind: Rejected, Message: "the recipient contains control characters"}
	}
	return nil
}

// conceal takes from the failure what its reader must not learn: a provider likes to repeat the recipient, and an
// echoing one the code.
func (m *Message) conceal(failure *Failure) *Failure {
	const shortest = 4
	// Rendered, because a code may be a number; a missing one renders as itself.
	values := []string{m.Recipient, strings.TrimLeft(m.Recipient, "+"), m.Render("{{code}}"), m.Render("{{link}}")}
	// A code may be a part of the number: it must not cut it in two that stay readable.
	slices.SortFunc(values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	concealed := *failure
	for _, value := range values {
		if len(value) >= shortest {
			concealed.Message = strings.ReplaceAll(concealed.Message, value, "…")
		}
	}
	return &concealed
}
