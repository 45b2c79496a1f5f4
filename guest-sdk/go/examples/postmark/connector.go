// Postmark: one e-mail from a template that is kept at Postmark, or with a text of its own.
//
// Protocol: https://postmarkapp.com/developer/api/templates-api#email-with-template,
// https://postmarkapp.com/developer/api/email-api#send-a-single-email; codes:
// https://postmarkapp.com/developer/api/overview#error-codes; all read 2026-11-21.
package main

import (
	_ "embed"
	"strconv"
	"strings"

	"sendbox"
	"sendbox/component"
)

const (
	templateURL = "https://api.postmarkapp.com/email/withTemplate"
	textURL     = "https://api.postmarkapp.com/email"
)

//go:embed settings.schema.json
var schema string

//go:embed README.md
var readme string

//go:embed cases/sign-in.jsonl
var rehearsal string

var postmark = sendbox.Connector[settings]{
	About: sendbox.About{
		ID:      "postmark",
		Channel: sendbox.Email,
		Version: "0.1.0",
		Titles:  sendbox.Texts{{"en", "Postmark"}, {"de", "Postmark"}, {"zh-CN", "Postmark"}},
		Descriptions: sendbox.Texts{
			{"en", "Transactional e-mail by Postmark, with templates that are kept there."},
			{"de", "Transaktionale E-Mails über Postmark, mit dort gepflegten Vorlagen."},
			{"zh-CN", "通过 Postmark 及其模板发送事务性邮件。"},
		},
		SettingsSchema: schema,
		Hosts:          []string{"api.postmarkapp.com"},
		Readme:         readme,
	},
	Request: request,
	Receipt: receipt,
	Failure: failure,
}

func init() {
	component.Export(postmark, rehearsal)
}

func main() {}

// settings are what an operator fills in.
type settings struct {
	ServerToken string                           `json:"serverToken"`
	FromEmail   string                           `json:"fromEmail"`
	Templates   sendbox.Templates[aliasTemplate] `json:"templates"`
}

type aliasTemplate struct {
	sendbox.Template
	TemplateAlias string `json:"templateAlias"`
}

func request(settings *settings, message *sendbox.Message) (*sendbox.Request, error) {
	request, err := post(settings, message)
	if err != nil {
		return nil, err
	}
	request.Header("accept", "application/json")
	return request.SecretHeader("x-postmark-server-token", settings.ServerToken), nil
}

func post(settings *settings, message *sendbox.Message) (*sendbox.Request, error) {
	content := message.FilledContent()
	if content == nil {
		template, err := settings.Templates.Choose(message.UsageType)
		if err != nil {
			return nil, err
		}
		return sendbox.PostJSON(templateURL, templateMail{
			From:          settings.FromEmail,
			TemplateAlias: template.TemplateAlias,
			To:            message.Recipient,
			TemplateModel: message.Payload,
		}), nil
	}
	html, text := content.Parts()
	own := sendbox.ParseMailbox(settings.FromEmail, sendbox.Mailbox{})
	return sendbox.PostJSON(textURL, textMail{
		From:     message.Sender(own).String(),
		ReplyTo:  message.ReplyTo(),
		To:       message.Recipient,
		HTMLBody: html,
		Subject:  content.Subject,
		TextBody: text,
	}), nil
}

type templateMail struct {
	From          string
	TemplateAlias string
	To            string
	TemplateModel *sendbox.Payload
}

type textMail struct {
	From     string
	ReplyTo  string `json:",omitzero"`
	To       string
	HTMLBody string `json:"HtmlBody,omitzero"`
	Subject  string
	TextBody string `json:",omitzero"`
}

// answer is Postmark's, in a 2xx as well as in an error.
type answer struct {
	ErrorCode int
	Message   string
	MessageID string
}

func receipt(response *sendbox.Response) (*sendbox.Receipt, error) {
	var answer answer
	if response.JSON(&answer) != nil {
		return nil, nil // Accepted by the status code.
	}
	if answer.ErrorCode != 0 {
		return nil, refusal(response, answer)
	}
	return &sendbox.Receipt{ProviderMessageID: answer.MessageID, Detail: answer.Message}, nil
}

func failure(response *sendbox.Response) error {
	var answer answer
	if response.JSON(&answer) != nil || answer.ErrorCode == 0 {
		return sendbox.StatusFailure(response)
	}
	return refusal(response, answer)
}

// refusal goes by the API's error code, which says more than the status code.
func refusal(response *sendbox.Response, answer answer) error {
	kind := sendbox.KindOfStatus(response.Status)
	switch answer.ErrorCode {
	case 10, 412, 413: // Bad or missing token; the account may not send.
		kind = sendbox.Unauthorized
	case 100: // Maintenance.
		kind = sendbox.Unavailable
	case 400, 401: // Sender signature not found, or not confirmed: fromEmail is wrong.
		kind = sendbox.InvalidSettings
	case 405, 429: // Out of credits; rate limit.
		kind = sendbox.Throttled
	case 1100, 1101: // The template's id or alias is unknown.
		kind = sendbox.TemplateNotFound
	case 300, 406: // A recipient that is no address, or inactive; of the sender's address 300 too.
		kind = sendbox.Rejected
		if strings.Contains(answer.Message, "'From'") {
			kind = sendbox.InvalidSettings
		}
	default: // Nothing that is known of the recipient.
		if response.Status < 500 {
			kind = sendbox.InvalidSettings
		}
	}
	return sendbox.ProviderFailure(response, kind, strconv.Itoa(answer.ErrorCode), answer.Message)
}
