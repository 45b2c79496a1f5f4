// Package sendbox is what the author of a Sendbox connector imports.
//
// A connector says four things: what it is ([About]), its settings, how a message becomes a request, and how a
// response becomes a receipt or a failure. [Connector] holds them, and sendbox/component makes a component of
// it. None of the four does any I/O, so their tests run natively: sendbox/testkit is a kit for them.
//
// Secrets in the settings are opaque placeholders here; the host fills them in on the way out.
package sendbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Channel is what a message travels by.
type Channel uint8

// The channels of the contract.
const (
	Email Channel = iota
	SMS
)

// Texts are short texts by BCP 47 tag, the default one first.
type Texts []Pair

// SecretGrant is a request to place one secret outside headers and credentials.
type SecretGrant struct {
	// JSON pointer of the secret in the settings, such as "/apiKey".
	Setting string
	// In the query of a URL, in a body, as key material for signing.
	Query, Body, Signing bool
}

// About is what a connector says of itself, the same on every call.
type About struct {
	// Lower-case ASCII letters, digits and "-"; 1 to 64 bytes.
	ID string
	// What its messages travel by.
	Channel Channel
	// Semantic version.
	Version string
	// Names, at least one; 128 bytes each.
	Titles Texts
	// One-paragraph descriptions; 1 KiB each.
	Descriptions Texts
	// JSON Schema 2020-12 of the settings: title, description, default and examples make a form, writeOnly
	// marks a secret.
	SettingsSchema string
	// Hosts that it asks to reach: names, or "{settings:/pointer}".
	Hosts []string
	// Where secrets may be placed besides headers and credentials.
	SecretGrants []SecretGrant
	// How to set it up, in Markdown.
	Readme string
}

// Receipt says that the provider accepted the message.
type Receipt struct {
	// The provider's name for the message, where it gave one.
	ProviderMessageID string
	// The provider's own words.
	Detail string
}

// Connector is one provider and one channel: the four parts. S is the type of its settings.
//
// An error of the functions that is a [Failure] reaches the host as it is; any other one, and a panic, becomes a
// failure of the kind [Unknown] with its own words.
type Connector[S any] struct {
	// What it is.
	About About
	// How a message becomes a request. After an error nothing is sent.
	Request func(settings *S, message *Message) (*Request, error)
	// How a 2xx response becomes a receipt; an empty one by default.
	Receipt func(response *Response) (*Receipt, error)
	// How any other response becomes a failure; by its status code ([StatusFailure]) by default.
	Failure func(response *Response) error
	// Send takes the place of the three before it, for a connector that makes its exchanges itself, with [Do]
	// or with the http.Client of sendbox/nethttp.
	Send func(ctx context.Context, settings *S, message *Message) (*Receipt, error)
}

// Exchange sends one request and waits for its response. Its error is an [HTTPError].
type Exchange func(request *Request) (*Response, error)

// Run sends one message, once: the whole path of a send, of which only the exchange does I/O.
//
// The failure does not repeat the message's recipient, code and link.
func (c *Connector[S]) Run(
	settings string, message *Message, exchange Exchange,
) (receipt *Receipt, failure *Failure) {
	defer func() {
		if cause := recover(); cause != nil {
			debug.PrintStack() // Standard error is the send's log.
			unknown := &Failure{Kind: Unknown, Code: "panic", Message: fmt.Sprint(cause)}
			receipt, failure = nil, message.conceal(unknown)
		}
	}()
	receipt, err := c.attempt(settings, message, exchange)
	if err != nil {
		return nil, message.conceal(failureOf(err))
	}
	if receipt == nil {
		receipt = &Receipt{}
	}
	return receipt, nil
}

func (c *Connector[S]) attempt(text string, message *Message, exchange Exchange) (*Receipt, error) {
	settings := new(S)
	if err := ReadSettings(text, settings); err != nil {
		return nil, err
	}
	if err := message.check(); err != nil {
		return nil, err
	}
	if unescapedHTML(text) {
		own := *message
		own.UnescapedHTML = true
		message = &own
	}
	ctx := context.WithValue(context.Background(), exchangeKey{}, exchange)
	if c.Send != nil {
		return c.Send(ctx, settings, message)
	}
	request, err := c.Request(settings, message)
	if err != nil {
		return nil, err
	}
	response, err := Do(ctx, request)
	switch {
	case err != nil:
		return nil, err
	case response.OK() && c.Receipt == nil:
		return nil, nil
	case response.OK():
		return c.Receipt(response)
	case c.Failure == nil:
		return nil, StatusFailure(response)
	default:
		return nil, c.Failure(response)
	}
}

type exchangeKey struct{}

// Do makes one exchange through the host. The context is the one that [Connector] gave to Send.
func Do(ctx context.Context, request *Request) (*Response, error) {
	exchange, ok := ctx.Value(exchangeKey{}).(Exchange)
	if !ok {
		return nil, errors.New("a request needs the context that Send was called with")
	}
	if err := request.check(); err != nil {
		return nil, err
	}
	return exchange(request)
}
