// Package testkit tests a connector natively, without WebAssembly and without a network: it sends through a fake
// exchange, replays recorded cases, and checks what a connector says of itself.
package testkit

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"sendbox"
)

// Message is a message with nothing but recipient, usage type and variables, a JSON object.
func Message(recipient, usageType, payload string) *sendbox.Message {
	variables, err := sendbox.ParsePayload(payload)
	if err != nil {
		panic(err)
	}
	return &sendbox.Message{
		Recipient:      recipient,
		UsageType:      usageType,
		Payload:        variables,
		IdempotencyKey: "0193-test",
		ExpiresIn:      10 * time.Minute,
		Now:            time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC),
	}
}

// MailInBothForms is a mail to alice@example.net with a text of its own, as HTML and as plain text.
func MailInBothForms() *sendbox.Message {
	message := Message("alice@example.net", "SignIn", `{"code":"123456"}`)
	message.Content = &sendbox.Content{Subject: "Hello {{code}}", Body: "<p>{{code}}</p>", Text: "{{code}}!"}
	return message
}

// Response is a response with headers in lower case.
func Response(status int, body string, headers ...sendbox.Pair) *sendbox.Response {
	return &sendbox.Response{Status: status, Headers: headers, Body: []byte(body)}
}

// Request is the request that a connector makes of a message, and nil where it makes none.
func Request[S any](
	connector sendbox.Connector[S], settings string, message *sendbox.Message,
) (*sendbox.Request, *sendbox.Failure) {
	var made *sendbox.Request
	_, failure := connector.Run(settings, message, func(request *sendbox.Request) (*sendbox.Response, error) {
		made = request
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPConnect}
	})
	if made != nil {
		failure = nil
	}
	return made, failure
}

// Send is what a connector makes of a response, on the whole path of a send.
func Send[S any](
	connector sendbox.Connector[S], settings string, message *sendbox.Message, response *sendbox.Response,
) (*sendbox.Receipt, *sendbox.Failure) {
	return connector.Run(settings, message, func(*sendbox.Request) (*sendbox.Response, error) {
		return response, nil
	})
}

// CheckAbout checks what a connector says of itself against the contract's limits.
func CheckAbout(t *testing.T, about sendbox.About) {
	t.Helper()
	expect := func(holds bool, words string) {
		if !holds {
			t.Errorf("%s: %s", about.ID, words)
		}
	}
	expect(regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`).MatchString(about.ID), "the id has a wrong form")
	expect(strings.Count(about.Version, ".") == 2, "the version is no semantic one")
	expect(len(about.Titles) > 0, "there is no title")
	for _, title := range about.Titles {
		expect(len(title[1]) <= 128, "a title is over 128 bytes")
	}
	for _, description := range about.Descriptions {
		expect(len(description[1]) <= 1024, "a description is over 1 KiB")
	}
	expect(len(about.Hosts) <= 32, "there are over 32 hosts")
	expect(len(about.Readme) <= 64<<10 && strings.HasPrefix(about.Readme, "# "), "the readme has no title or is over 64 KiB")

	schema, err := sendbox.ParsePayload(about.SettingsSchema)
	if err != nil || len(about.SettingsSchema) > 256<<10 {
		t.Fatalf("%s: the settings schema is no JSON object or over 256 KiB", about.ID)
	}
	properties, _ := inside(schema, "properties").(*sendbox.Payload)
	for name, property := range properties.All() {
		expect(inside(property, "title") != nil, name+" has no title")
		expect(inside(property, "writeOnly") != true || inside(property, "type") == "string", name+" is a secret and no string")
	}
	for _, grant := range about.SecretGrants {
		place := strings.ReplaceAll(grant.Setting, "/", "/properties/")
		property := inside(schema, strings.Split(place, "/")[1:]...)
		expect(inside(property, "writeOnly") == true, grant.Setting+" is granted a place and is no secret")
	}
}
