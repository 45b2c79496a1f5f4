// Package export_sendbox_connector_send_message is the way between the contract's bindings and the SDK's types.
// The generated bindings ask for this name.
package export_sendbox_connector_send_message

import (
	"math"
	"time"

	wit "go.bytecodealliance.org/pkg/wit/types"

	"sendbox"
	"sendbox/bindings/sendbox_connector_types"
	"sendbox/internal/exports"
)

// Describe answers what the connector is.
func Describe() sendbox_connector_types.ConnectorInfo {
	about := exports.Connector.About
	grants := make([]sendbox_connector_types.SecretGrant, len(about.SecretGrants))
	for i, grant := range about.SecretGrants {
		grants[i] = sendbox_connector_types.SecretGrant(grant)
	}
	return sendbox_connector_types.ConnectorInfo{
		Id:             about.ID,
		Channel:        uint8(about.Channel),
		Version:        about.Version,
		Titles:         tuples(about.Titles),
		Descriptions:   tuples(about.Descriptions),
		SettingsSchema: about.SettingsSchema,
		Hosts:          about.Hosts,
		SecretGrants:   grants,
		Readme:         about.Readme,
	}
}

// Send sends one message, once.
func Send(
	settings string, message sendbox_connector_types.Message,
) wit.Result[sendbox_connector_types.Receipt, sendbox_connector_types.Failure] {
	reseed() // Not there for a Go whose runtime it does not know.
	receipt, failure := run(settings, message)
	if failure != nil {
		return wit.Err[sendbox_connector_types.Receipt](sendbox_connector_types.Failure{
			Kind:       uint8(failure.Kind),
			Code:       present(failure.Code),
			Message:    failure.Message,
			RetryAfter: milliseconds(failure.RetryAfter),
		})
	}
	return wit.Ok[sendbox_connector_types.Receipt, sendbox_connector_types.Failure](sendbox_connector_types.Receipt{
		ProviderMessageId: present(receipt.ProviderMessageID),
		Detail:            present(receipt.Detail),
	})
}

func run(settings string, message sendbox_connector_types.Message) (*sendbox.Receipt, *sendbox.Failure) {
	payload, err := sendbox.ParsePayload(message.Payload)
	if err != nil {
		return nil, &sendbox.Failure{Kind: sendbox.Rejected, Message: err.Error()}
	}
	return exports.Connector.Run(settings, &sendbox.Message{
		Recipient:      message.Recipient,
		UsageType:      message.UsageType,
		Payload:        payload,
		Locale:         message.Locale.Some(),
		ClientIP:       message.ClientIp.Some(),
		Content:        contentOf(message.Content),
		IdempotencyKey: message.IdempotencyKey,
		ExpiresIn:      time.Duration(min(message.ExpiresIn, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond,
		Now:            time.Now(),
	}, exchange)
}

func contentOf(content wit.Option[sendbox_connector_types.Content]) *sendbox.Content {
	if content.Tag() == wit.OptionNone {
		return nil
	}
	given := content.Some()
	return &sendbox.Content{
		Subject:     given.Subject,
		Body:        given.Body,
		ContentType: sendbox.ContentType(given.ContentType),
		Text:        given.Text.Some(),
		ReplyTo:     given.ReplyTo.Some(),
		SendFrom:    given.SendFrom.Some(),
	}
}

// present is a text, or nothing where it is empty.
func present(text string) wit.Option[string] {
	if text == "" {
		return wit.None[string]()
	}
	return wit.Some(text)
}

func milliseconds(delay *time.Duration) wit.Option[uint64] {
	if delay == nil {
		return wit.None[uint64]()
	}
	return wit.Some(uint64(delay.Milliseconds()))
}

func tuples(pairs []sendbox.Pair) []wit.Tuple2[string, string] {
	tuples := make([]wit.Tuple2[string, string], len(pairs))
	for i, pair := range pairs {
		tuples[i] = wit.Tuple2[string, string]{F0: pair[0], F1: pair[1]}
	}
	return tuples
}
