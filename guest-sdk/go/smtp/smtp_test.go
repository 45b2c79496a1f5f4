package smtp_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendbox"
	"sendbox/mail"
	"sendbox/smtp"
	"sendbox/testkit"
)

type settings struct {
	Host      string                                  `json:"host"`
	Port      uint16                                  `json:"port"`
	Auth      login                                   `json:"auth"`
	From      string                                  `json:"fromEmail"`
	Templates sendbox.Templates[sendbox.MailTemplate] `json:"templates"`
}

type login struct {
	User     string `json:"user"`
	Password string `json:"pass"`
}

// connector is as much of a connector for SMTP as the recorded mails by usage type need.
var connector = sendbox.Connector[settings]{
	About: sendbox.About{ID: "smtp"},
	Send: func(ctx context.Context, settings *settings, message *sendbox.Message) (*sendbox.Receipt, error) {
		content, err := sendbox.MailContent(settings.Templates, message)
		if err != nil {
			return nil, err
		}
		from, ok := mail.Sender(settings.From, sendbox.Mailbox{})
		if !ok {
			return nil, sendbox.InvalidField("fromEmail", "is no mail address")
		}
		to, ok := mail.Address(message.Recipient)
		if !ok {
			return nil, sendbox.Fail(sendbox.Rejected, "the recipient is not one mail address")
		}
		html, text := content.Parts()
		data, err := (&mail.Mail{
			From: from, To: to, Subject: content.Subject, Text: text, HTML: html,
			ID: message.IdempotencyKey, Date: message.Now,
		}).Compose()
		if err != nil {
			return nil, err
		}
		server := smtp.Server{
			Host: settings.Host, Port: settings.Port, Security: smtp.StartTLS,
			Auth: smtp.Auth{User: settings.Auth.User, Password: settings.Auth.Password},
		}
		reply, err := smtp.Submit(ctx, &server, smtp.Envelope{From: from.Address, To: []string{to}}, data)
		if err != nil {
			return nil, err
		}
		return &sendbox.Receipt{Detail: reply.Text}, nil
	},
}

const given = `{"host":"smtp.example.com","port":587,"auth":{"user":"u","pass":"p"},
	"fromEmail":"Example <noreply@example.com>","templates":[
	{"usageType":"Register","subject":"Code","content":"{{code}}"},
	{"usageType":"SignIn","subject":"Code {{code}}","content":"<p>{{code}}</p>"},
	{"usageType":"ForgotPassword","subject":"Code","content":"{{code}}"},
	{"usageType":"Generic","subject":"Code","content":"{{code}}"}]}`

func alice() *sendbox.Message {
	return testkit.Message("alice@Example.net", "SignIn", `{"code":"123456"}`)
}

func TestAConnectorSubmitsWhatItComposed(t *testing.T) {
	made, receipt, failure := testkit.Submit(connector, given, alice(), nil)
	if failure != nil || receipt.Detail != "queued" {
		t.Fatal(failure)
	}
	expected := smtp.Server{
		Host: "smtp.example.com", Port: 587, Security: smtp.StartTLS, Auth: smtp.Auth{User: "u", Password: "p"},
	}
	if made.Server != expected {
		t.Error(made.Server)
	}
	if made.Envelope.From != "noreply@example.com" || !slices.Equal(made.Envelope.To, []string{"alice@example.net"}) {
		t.Error(made.Envelope)
	}
	if !strings.Contains(string(made.Data), "\r\nSubject: Code 123456\r\n") {
		t.Errorf("%s", made.Data)
	}
}

func TestRecordedMailsAreSubmittedAsThePeerDoes(t *testing.T) {
	text, err := os.ReadFile(testkit.Golden(t, "smtp.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var chosen strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"id":"smtp/usage-`) {
			chosen.WriteString(line)
		}
	}
	file := filepath.Join(t.TempDir(), "cases.jsonl")
	if err := os.WriteFile(file, []byte(chosen.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Replay(t, connector, file)
}

func TestAnEnvelopeThatCouldEndACommandReachesNoHost(t *testing.T) {
	ctx := smtp.WithHost(t.Context(), func(*smtp.Server, smtp.Envelope, []byte) (*smtp.Reply, error) {
		t.Error("it was submitted")
		return &smtp.Reply{}, nil
	})
	const evil = "a@x.test>\r\nRCPT TO:<b@x.test"
	for kind, envelope := range map[sendbox.FailureKind]smtp.Envelope{
		sendbox.InvalidSettings: {From: evil, To: []string{"c@x.test"}},
		sendbox.Rejected:        {From: "c@x.test", To: []string{"c@x.test", evil}},
	} {
		_, err := smtp.Submit(ctx, &smtp.Server{}, envelope, nil)
		if failure, ok := err.(*sendbox.Failure); !ok || failure.Kind != kind {
			t.Error(err)
		}
	}
}

func TestTheNullPathIsSubmitted(t *testing.T) {
	ctx := smtp.WithHost(t.Context(), func(_ *smtp.Server, envelope smtp.Envelope, _ []byte) (*smtp.Reply, error) {
		if envelope.From != "" {
			t.Error(envelope)
		}
		return &smtp.Reply{Code: 250}, nil
	})
	if _, err := smtp.Submit(ctx, &smtp.Server{}, smtp.Envelope{To: []string{"c@x.test"}}, nil); err != nil {
		t.Error(err)
	}
}

func TestEveryRefusalHasItsKindCodeAndWords(t *testing.T) {
	for _, row := range []struct {
		refusal smtp.Error
		kind    sendbox.FailureKind
		code    string
		words   string
	}{
		{smtp.Error{Reason: smtp.NotSupported}, sendbox.InvalidSettings, "not-supported", "does not offer SMTP"},
		{smtp.Error{Reason: smtp.Denied}, sendbox.InvalidSettings, "denied", "policy"},
		{smtp.Error{Reason: smtp.InvalidRequest, Detail: "too long"}, sendbox.InvalidSettings, "invalid-request", "too long"},
		{smtp.Error{Reason: smtp.DNS}, sendbox.Unavailable, "dns", "host name"},
		{smtp.Error{Reason: smtp.Connect}, sendbox.Unavailable, "connect", "no session"},
		{smtp.Error{Reason: smtp.NoTLS, Detail: "expired"}, sendbox.Unavailable, "tls", "no trusted TLS session: expired"},
		{smtp.Error{Reason: smtp.Timeout}, sendbox.Unavailable, "timeout", "in time"},
		{smtp.Error{Reason: smtp.Interrupted}, sendbox.Unknown, "interrupted", "after the message"},
		{refused(smtp.Unauthorized, 535, "5.7.8", "bad"), sendbox.Unauthorized, "5.7.8", "535 bad"},
		{refused(smtp.Rejected, 550, "", ""), sendbox.Rejected, "550", "550"},
		{refused(smtp.Deferred, 451, "4.7.1", "greylisted"), sendbox.Unavailable, "4.7.1", "greylisted"},
		{refused(smtp.Deferred, 451, "", "a Rate Limit"), sendbox.Throttled, "451", "Rate"},
		{refused(smtp.Deferred, 452, "", "too many"), sendbox.Throttled, "452", "too many"},
	} {
		_, receipt, failure := testkit.Submit(connector, given, alice(), &row.refusal)
		if receipt != nil || failure.Kind != row.kind || failure.Code != row.code {
			t.Error(row, failure)
		}
		if !strings.Contains(failure.Message, row.words) {
			t.Error(failure.Message)
		}
	}
}

func refused(reason smtp.Reason, code int, enhanced, words string) smtp.Error {
	return smtp.Error{Reason: reason, Reply: smtp.Reply{Code: code, Enhanced: enhanced, Text: words}}
}

func TestOutsideOfASendNothingIsSubmitted(t *testing.T) {
	_, err := smtp.Submit(t.Context(), &smtp.Server{}, smtp.Envelope{To: []string{"c@x.test"}}, nil)
	if refusal, ok := err.(*smtp.Error); !ok || refusal.Reason != smtp.NotSupported {
		t.Error(err)
	}
}
