// {{title}}: e-mail through one HTTP request.
package main

import (
	_ "embed"

	"sendbox"
	"sendbox/component"
)

//go:embed settings.schema.json
var schema string

//go:embed README.md
var readme string

//go:embed cases/sign-in.jsonl
var rehearsal string

// connector is the four parts: what it is, its settings, how a message becomes a request, and how a response becomes
// a receipt or a failure.
var connector = sendbox.Connector[settings]{
	About: sendbox.About{
		ID:             "{{name}}",
		Channel:        sendbox.Email,
		Version:        "0.1.0",
		Titles:         sendbox.Texts{{"en", "{{title}}"}},
		SettingsSchema: schema,
		Hosts:          []string{"{settings:/endpoint}"},
		Readme:         readme,
	},
	Request: request,
	Receipt: receipt,
	Failure: failure,
}

func init() { component.Export(connector, rehearsal) }

func main() {}

type settings struct {
	Endpoint  string                                  `json:"endpoint"`
	Token     string                                  `json:"token"` // A placeholder: the host knows the secret.
	Templates sendbox.Templates[sendbox.MailTemplate] `json:"templates"`
}

func request(settings *settings, message *sendbox.Message) (*sendbox.Request, error) {
	content, err := sendbox.MailContent(settings.Templates, message)
	if err != nil {
		return nil, err
	}
	mail := map[string]string{"to": message.Recipient, "subject": content.Subject, "html": content.Body}
	return sendbox.PostJSON(settings.Endpoint, mail).Bearer(settings.Token), nil
}

func receipt(response *sendbox.Response) (*sendbox.Receipt, error) {
	var answer struct {
		ID string `json:"id"`
	}
	if response.JSON(&answer) != nil {
		return nil, sendbox.Unreadable(response)
	}
	return &sendbox.Receipt{ProviderMessageID: answer.ID}, nil
}

// failure goes by the status code. Where the provider says more, see sendbox.ProviderFailure.
func failure(response *sendbox.Response) error {
	return sendbox.StatusFailure(response)
}
