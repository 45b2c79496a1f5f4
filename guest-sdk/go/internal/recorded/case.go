// Package recorded reads recorded cases, one JSON object a line: settings, a message and a provider's answer.
package recorded

import (
	"iter"
	"strings"
	"time"

	"sendbox"
)

// Case is one recorded case.
type Case struct {
	row *sendbox.Payload
}

// Cases reads the cases of a text. The error is that of the first line that is no JSON object.
func Cases(text string) iter.Seq2[Case, error] {
	return func(yield func(Case, error) bool) {
		for line := range strings.Lines(text) {
			row, err := sendbox.ParsePayload(line)
			if !yield(Case{row}, err) || err != nil {
				return
			}
		}
	}
}

// Name is the case's id without the connector's.
func (c Case) Name() string {
	id := c.word("id")
	return id[strings.LastIndexByte(id, '/')+1:]
}

// Settings are the integration's, as JSON.
func (c Case) Settings() string {
	settings, ok := c.At("settings").(*sendbox.Payload)
	if !ok {
		return "null"
	}
	return settings.String()
}

// Message is what is to be sent.
func (c Case) Message() *sendbox.Message {
	payload, ok := c.At("message", "payload").(*sendbox.Payload)
	if !ok {
		payload = &sendbox.Payload{}
	}
	message := &sendbox.Message{
		Recipient:      c.word("message", "to"),
		UsageType:      c.word("message", "type"),
		Payload:        payload,
		Locale:         c.word("message", "payload", "locale"),
		ClientIP:       c.word("message", "ip"),
		IdempotencyKey: c.word("id"),
		ExpiresIn:      10 * time.Minute,
		Now:            c.now(),
	}
	if c.At("content") != nil {
		message.Content = &sendbox.Content{
			Subject:  c.word("content", "subject"),
			Body:     c.word("content", "content"),
			Text:     c.word("content", "text"),
			ReplyTo:  c.word("content", "replyTo"),
			SendFrom: c.word("content", "sendFrom"),
		}
		if c.word("content", "contentType") == "text/plain" {
			message.Content.ContentType = sendbox.Plain
		}
	}
	return message
}

// now is the frozen clock of the recording.
func (c Case) now() time.Time {
	milliseconds, _ := c.At("now_ms").(float64)
	return time.UnixMilli(int64(milliseconds))
}

// Unresolved says whether the provider's name cannot be resolved, so that nothing reaches the wire.
func (c Case) Unresolved() bool {
	return c.At("network", "fault") == "dns_failure"
}

// Answer is what the provider answers to the first request.
func (c Case) Answer() (*sendbox.Response, error) {
	if c.Unresolved() {
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPDNS}
	}
	answer := First(c.At("responses"))
	if Inside(answer, "network") != nil {
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPInterrupted}
	}
	status, _ := Inside(answer, "status").(float64)
	body, _ := Inside(answer, "body").(string)
	headers := Pairs(Inside(answer, "headers"))
	return &sendbox.Response{Status: int(status), Headers: headers, Body: []byte(body)}, nil
}

// At is a value of the case, or nil.
func (c Case) At(path ...string) any {
	return Inside(c.row, path...)
}

func (c Case) word(path ...string) string {
	text, _ := c.At(path...).(string)
	return text
}

// Inside is a value inside a JSON value, or nil.
func Inside(value any, path ...string) any {
	for _, name := range path {
		object, ok := value.(*sendbox.Payload)
		if !ok {
			return nil
		}
		value, _ = object.Get(name)
	}
	return value
}

// First is the first item of a list, or nil.
func First(list any) any {
	if items, ok := list.([]any); ok && len(items) > 0 {
		return items[0]
	}
	return nil
}

// Pairs are the texts of a JSON object, by names in lower case.
func Pairs(value any) []sendbox.Pair {
	object, ok := value.(*sendbox.Payload)
	if !ok {
		return nil
	}
	var pairs []sendbox.Pair
	for name, value := range object.All() {
		text, _ := value.(string)
		pairs = append(pairs, sendbox.Pair{strings.ToLower(name), text})
	}
	return pairs
}
