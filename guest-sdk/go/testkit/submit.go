package testkit

import (
	"context"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"

	"sendbox"
	"sendbox/smtp"
)

// Submission is one mail as a connector handed it to a server.
type Submission struct {
	Server   smtp.Server
	Envelope smtp.Envelope
	Data     []byte
}

// Submit is what a connector of Send submits, nil where it is nothing, and what it makes of the server's answer: the
// refusal, or "queued" where that is nil. There is no network for anything else.
func Submit[S any](
	connector sendbox.Connector[S], settings string, message *sendbox.Message, refusal *smtp.Error,
) (*Submission, *sendbox.Receipt, *sendbox.Failure) {
	var made *Submission
	connector = withServer(connector, &made, refusal)
	receipt, failure := connector.Run(settings, message, func(*sendbox.Request) (*sendbox.Response, error) {
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPConnect}
	})
	return made, receipt, failure
}

// withServer is the connector with a server that notes what is submitted, and answers as [Submit] says.
func withServer[S any](
	connector sendbox.Connector[S], made **Submission, refusal *smtp.Error,
) sendbox.Connector[S] {
	own := connector.Send
	if own == nil {
		return connector
	}
	host := func(server *smtp.Server, envelope smtp.Envelope, data []byte) (*smtp.Reply, error) {
		*made = &Submission{*server, envelope, data}
		if refusal != nil {
			return nil, refusal
		}
		return &smtp.Reply{Code: 250, Text: "queued"}, nil
	}
	connector.Send = func(ctx context.Context, settings *S, message *sendbox.Message) (*sendbox.Receipt, error) {
		return own(smtp.WithHost(ctx, host), settings, message)
	}
	return connector
}

// compareMail compares a submission with a recorded session: the envelope, and what a reader sees of the mail.
func compareMail(t *testing.T, expected any, made *Submission) {
	t.Helper()
	envelope := inside(expected, "envelope")
	equal(t, "mail from", inside(envelope, "mail_from"), "<"+made.Envelope.From+">")
	var paths []any
	for _, to := range made.Envelope.To {
		paths = append(paths, "<"+to+">")
	}
	equal(t, "rcpt to", inside(envelope, "rcpt_to"), paths)
	recordedMail, ok := inside(expected, "mime").(*sendbox.Payload)
	if !ok {
		return
	}
	read, err := netmail.ReadMessage(strings.NewReader(string(made.Data)))
	if err != nil {
		t.Fatal("the mail is none:", err)
	}
	equal(t, "headers", seen(recordedHeaders(recordedMail)), seen(read.Header))
	if text, ok := inside(recordedMail, "text").(string); ok {
		equal(t, "text", lines(text), lines(bodyOf(t, read)))
	}
}

func recordedHeaders(mail any) netmail.Header {
	headers := netmail.Header{}
	list, _ := inside(mail, "headers").([]any)
	for _, entry := range list {
		if pair, ok := entry.([]any); ok && len(pair) == 2 {
			name, _ := pair[0].(string)
			value, _ := pair[1].(string)
			headers[name] = append(headers[name], value)
		}
	}
	return headers
}

// seen are the headers as a reader sees them: decoded, without quotes and brackets around an address that stands
// alone, and without those that every mailer writes in its own way.
func seen(headers netmail.Header) string {
	own := []string{"message-id", "content-transfer-encoding", "mime-version"}
	var all []string
	for name, values := range headers {
		name = strings.ToLower(name)
		for _, value := range values {
			if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
				value = decoded
			}
			switch name {
			case "date":
				value = strings.Replace(value, ", 0", ", ", 1)
			case "from", "to", "reply-to", "content-type":
				value = strings.ReplaceAll(value, `"`, "")
			}
			if strings.HasPrefix(value, "<") {
				value = strings.Trim(value, "<>")
			}
			if !slices.Contains(own, name) {
				all = append(all, name+": "+strings.Join(strings.Fields(value), " "))
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// bodyOf is the body without its encoding.
func bodyOf(t *testing.T, mail *netmail.Message) string {
	t.Helper()
	body := mail.Body
	switch strings.ToLower(mail.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal("the mail's body cannot be read:", err)
	}
	return string(text)
}

func lines(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
}
