package testkit

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"sendbox"
)

// recordedCase is one line of a file of recorded cases.
type recordedCase struct {
	row  *sendbox.Payload
	name string
}

func newCase(row *sendbox.Payload) recordedCase {
	id, _ := at(row, "id").(string)
	return recordedCase{row, id[strings.LastIndexByte(id, '/')+1:]}
}

func (c recordedCase) message() *sendbox.Message {
	word := func(path ...string) string {
		text, _ := at(c.row, path...).(string)
		return text
	}
	message := &sendbox.Message{
		Recipient:      word("message", "to"),
		UsageType:      word("message", "type"),
		Payload:        at(c.row, "message", "payload").(*sendbox.Payload),
		Locale:         word("message", "payload", "locale"),
		ClientIP:       word("message", "ip"),
		IdempotencyKey: word("id"),
		ExpiresIn:      10 * time.Minute,
	}
	if content := at(c.row, "content"); content != nil {
		message.Content = &sendbox.Content{
			Subject:  word("content", "subject"),
			Body:     word("content", "content"),
			Text:     word("content", "text"),
			ReplyTo:  word("content", "replyTo"),
			SendFrom: word("content", "sendFrom"),
		}
		if word("content", "contentType") == "text/plain" {
			message.Content.ContentType = sendbox.Plain
		}
	}
	return message
}

// faulty says whether the provider's name cannot be resolved.
func (c recordedCase) faulty() bool {
	return at(c.row, "network", "fault") == "dns_failure"
}

// answer is what the provider answers to the first request.
func (c recordedCase) answer() (*sendbox.Response, error) {
	if c.faulty() {
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPDNS}
	}
	answer := first(at(c.row, "responses"))
	if at(answer, "network") != nil {
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPInterrupted}
	}
	status, _ := at(answer, "status").(float64)
	body, _ := at(answer, "body").(string)
	return Response(int(status), body, pairs(at(answer, "headers"))...), nil
}

// expectation is what this SDK is to do in a case.
type expectation struct {
	// Nil where there is none.
	request  any
	accepted bool
	// Nil where any will do.
	kind any
}

// expected is what the peer did, but for two deviations that all connectors have: a redirect that the peer followed
// ends here, as a failure; and in a mail's recipient a line break, which would end a header, is refused.
func (c recordedCase) expected(channel sendbox.Channel) expectation {
	if channel == sendbox.Email && c.name == "to-crlf_injection" {
		return expectation{kind: sendbox.Rejected.String()}
	}
	tags, _ := at(c.row, "tags").([]any)
	return expectation{
		request:  first(at(c.row, "expect", "requests")),
		accepted: at(c.row, "expect", "outcome", "ok") == true && !slices.Contains(tags, "redirect"),
		kind:     at(c.row, "expect", "outcome", "kind"),
	}
}

func first(list any) any {
	if items, ok := list.([]any); ok && len(items) > 0 {
		return items[0]
	}
	return nil
}

// pairs are the texts of a JSON object.
func pairs(object any) []sendbox.Pair {
	var pairs []sendbox.Pair
	if object, ok := object.(*sendbox.Payload); ok {
		for name, value := range object.All() {
			text, _ := value.(string)
			pairs = append(pairs, sendbox.Pair{strings.ToLower(name), text})
		}
	}
	return pairs
}

func sorted(pairs []sendbox.Pair) any {
	lines := make([]any, len(pairs))
	for i, pair := range pairs {
		lines[i] = strings.ToLower(pair[0]) + ": " + strings.TrimSpace(pair[1])
	}
	slices.SortFunc(lines, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return lines
}

// text is a JSON value's text, in which the order of keys counts.
func text(value any) string {
	return new(sendbox.Payload).With("", value).String()
}

func parsed(body []byte) any {
	value, err := sendbox.ParsePayload(`{"":` + string(body) + `}`)
	if err != nil {
		return string(body)
	}
	return at(value, "")
}

func base64Of(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))
}
