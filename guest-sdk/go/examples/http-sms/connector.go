// Text messages through an HTTP endpoint of the tenant's own, in Logto's message format. It sends with Go's own
// http.Client, where most connectors say what to send and leave the sending to the SDK.
//
// Protocol: https://docs.logto.io/connectors/sms-connectors/http-sms, read 2026-11-21.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json/v2"
	"net/http"

	"sendbox"
	"sendbox/component"
	"sendbox/nethttp"
)

//go:embed settings.schema.json
var schema string

//go:embed README.md
var readme string

//go:embed cases/sign-in.jsonl
var rehearsal string

var httpSMS = sendbox.Connector[settings]{
	About: sendbox.About{
		ID:      "http-sms",
		Channel: sendbox.SMS,
		Version: "0.1.0",
		Titles:  sendbox.Texts{{"en", "HTTP SMS"}, {"de", "HTTP-SMS"}, {"zh-CN", "HTTP 短信"}},
		Descriptions: sendbox.Texts{
			{"en", "Posts every text message to be sent as JSON to an endpoint of your own."},
			{"de", "Übergibt jede zu sendende SMS als JSON an einen eigenen Endpunkt."},
			{"zh-CN", "将每条待发送的短信以 JSON 形式发送到您自己的端点。"},
		},
		SettingsSchema: schema,
		Hosts:          []string{"{settings:/endpoint}"},
		Readme:         readme,
	},
	Send: send,
}

func init() {
	component.Export(httpSMS, rehearsal)
}

func main() {}

// settings are what an operator fills in.
type settings struct {
	Endpoint string `json:"endpoint"`
	// Value of the authorization header, as it is.
	Authorization string `json:"authorization,omitzero"`
}

// body is Logto's HTTP message.
type body struct {
	To      string           `json:"to"`
	Type    string           `json:"type"`
	Payload *sendbox.Payload `json:"payload"`
	IP      string           `json:"ip,omitzero"`
	Content *text            `json:"content,omitzero"`
}

// text is the tenant's own, in the names of Logto's e-mail templates.
type text struct {
	Subject     string `json:"subject"`
	Content     string `json:"content"`
	ContentType string `json:"contentType"`
	Text        string `json:"text,omitzero"`
	ReplyTo     string `json:"replyTo,omitzero"`
	SendFrom    string `json:"sendFrom,omitzero"`
}

func send(ctx context.Context, settings *settings, message *sendbox.Message) (*sendbox.Receipt, error) {
	request, err := post(ctx, settings, message)
	if err != nil {
		return nil, err
	}
	answer, err := nethttp.Client.Do(request)
	if err != nil {
		return nil, err
	}
	response, err := nethttp.Read(answer)
	if err != nil {
		return nil, err
	}
	if !response.OK() {
		return nil, sendbox.StatusFailure(response)
	}
	return &sendbox.Receipt{}, nil
}

func post(ctx context.Context, settings *settings, message *sendbox.Message) (*http.Request, error) {
	url, err := sendbox.CanonicalURL(settings.Endpoint)
	if err != nil {
		return nil, sendbox.InvalidField("endpoint", err.Error())
	}
	json, err := json.Marshal(bodyOf(message))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(json))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if settings.Authorization != "" {
		request.Header.Set("Authorization", settings.Authorization)
	}
	return request, nil
}

func bodyOf(message *sendbox.Message) body {
	body := body{To: message.Recipient, Type: message.UsageType, Payload: message.Payload, IP: message.ClientIP}
	if content := message.FilledContent(); content != nil {
		body.Content = &text{
			Subject:     content.Subject,
			Content:     content.Body,
			ContentType: content.ContentType.String(),
			Text:        content.Text,
			ReplyTo:     content.ReplyTo,
			SendFrom:    content.SendFrom,
		}
	}
	return body
}
